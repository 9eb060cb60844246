"""The helper process: it builds and dumps domains of the real Xen, for xend (`python -P -m xend.helper`).

What it does parses kernels that nobody trusts, blocks for seconds, or may crash, with Xen's libraries
(`xend._guest`), which xend itself does not load.  It says which release of Xen these are for, gets a job
over the socket that is its standard input, tells at which step it is, answers, and is ended; one that has
saved a domain is kept until that is resumed, which another would be too late for.  It may be killed at
any instant: a domain that is half built is destroyed by whoever wanted it.  Once the other end of the socket
is closed it ends by itself, in the middle of whatever it does.

What it does without (`limits`, and what starts it, `xend.hypervisor.xen.process`):

- core files, writing to files where the job makes none, and more than a few open files;
- more memory and time of the processor than the job needs, so that a kernel that unpacks without end, or
  crafted so that it is parsed for ever, costs the host little;
- xend's environment, directory, session, and all of its descriptors but the socket; a kernel and a ramdisk
  are opened once, and only if they are regular files;
- bytes of xend that are not its job: it is a new process, not a fork.

It stays root, and keeps what it may do: Xen's kernel interface (privcmd) is root's to open, building asks for
hypercalls that the kernel lets nobody make through a descriptor which was restricted to one domain
(IOCTL_PRIVCMD_RESTRICT leaves device models' calls only), and whoever has that descriptor may map all of
dom0's memory, so that another user's id would guard nothing.  What a kernel image could do with the process
is bounded by xend's checking its answers as a stranger's, by the process's short life, and by Xen's own
parser, which is the same as under libxl.
"""
