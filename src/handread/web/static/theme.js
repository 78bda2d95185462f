// Runs before the page is painted, so that a chosen theme never flashes the other one.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const settle = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("handread-theme");
    } catch {
      // storage is switched off: the system's theme it is
    }
    document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
    dispatchEvent(new Event("themechange"));
  };
  settle();
  system.addEventListener("change", settle);
})();
