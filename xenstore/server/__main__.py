import sys

from xenstore.server.main import main

sys.exit(main())
