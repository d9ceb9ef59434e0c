"""How much memory a process has used."""


def peak_memory():
    """MiB of this process at its largest. (ru_maxrss would count the parent's, too.)"""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
