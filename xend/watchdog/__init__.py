"""xenwatchdogd: keeps a watchdog timer of the hypervisor from expiring as long as this domain lives."""
