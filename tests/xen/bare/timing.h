#ifndef BARE_TIMING_H
#define BARE_TIMING_H

/* Times round trips to the store; the console says how long each kind takes when little disturbs it, in ns. */
void time_round_trips(void);

#endif
