"""Domains that are configured on this host, whether they run or not: files of the configuration directory."""
