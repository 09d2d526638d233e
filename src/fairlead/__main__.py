"""`python -m fairlead`: the command line, where the script of the installation is not on the path."""

from fairlead.cli.main import main

if __name__ == "__main__":
    main()
