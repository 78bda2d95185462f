// The few words that every module says to the document.

/** The element with this id. */
export const at = (id) => document.getElementById(id);

/** A new element: its properties, attributes under `attr`, children after. */
export function make(tag, properties = {}, ...children) {
  const { attr = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(attr)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Say something to those who listen rather than look. */
export function announce(text) {
  at("live").textContent = text;
}

/** 0.8286 as "83 %"; never "100 %" for what is only nearly certain, nor "0 %" for what is possible. */
export function percent(probability) {
  const shown = Math.round(100 * probability);
  if (shown >= 100 && probability < 0.9995) return "99 %";
  if (shown <= 0 && probability > 0) return "<1 %";
  return `${shown} %`;
}

/** Hand a file to the person. */
export function download(name, content, type) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Day for night and night for day, kept for the next time. */
export function turnTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  memory.set("theme", root.dataset.theme);
  dispatchEvent(new Event("themechange"));
}

/** Whether to leave out what only moves. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A value that this browser remembers; nothing where storage is switched off. */
export const memory = {
  get(name) {
    try {
      return localStorage.getItem(`handread-${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(`handread-${name}`);
      else localStorage.setItem(`handread-${name}`, value);
    } catch {
      // then it is forgotten with the page
    }
  },
};
