"""xl as a process of its own."""

#: For `python -c`; its arguments are xl's.
SCRIPT = "import sys; from xenclient.cli.xl import main; sys.argv[0] = 'xl'; sys.exit(main())"
