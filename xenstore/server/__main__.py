import sys

from xenstore.server.main import main

if __name__ == "__main__":
    sys.exit(main())
