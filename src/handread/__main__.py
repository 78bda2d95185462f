"""python -m handread"""

from handread.cli.main import run

if __name__ == "__main__":
    run()
