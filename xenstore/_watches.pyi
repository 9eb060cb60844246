class Subscriber:
    domid: int
    privileged: bool
    closed: bool

class WatchIndex:
    count: int
