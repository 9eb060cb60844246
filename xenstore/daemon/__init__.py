"""What the daemons of this distribution do alike: options, starting, locks, sockets, files, lines of text.

For xenstored, for xend and for the small daemons beside it.  Nothing here knows the store or any other
service: these modules import only each other, and tests/unit/test_directions.py holds that.
"""
