"""AMX, the tiles of some x86-64 CPUs, taken from a process: what it loads afterwards computes by AVX512.

Linux gives a process these registers when it asks for them (arch_prctl). A filter that refuses the
question holds for every library, whatever variables it reads, and `granted` shows that it held.
"""
import ctypes
import platform
import struct

ARCH_PRCTL, ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM, XTILEDATA = 158, 0x1022, 0x1023, 18
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # of BPF
NUMBER, ARGUMENT, ARGUMENT_HIGH = 0, 16, 20  # offsets in struct seccomp_data
REFUSE, ALLOW = 0x00050000 | 22, 0x7FFF0000  # with EINVAL, as a kernel that does not know the question

libc = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def is_there():
    """Has the CPU them, and the kernel too?"""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return platform.machine() == "x86_64" and " amx_tile " in file.read()


def granted():
    """May this process use them?"""
    permissions = ctypes.c_uint64()
    return is_there() and libc.syscall(ARCH_PRCTL, ARCH_GET_XCOMP_PERM, ctypes.byref(permissions)) == 0 \
        and bool(permissions.value >> XTILEDATA & 1)


def withhold():
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in (
        (LOAD, 0, 0, NUMBER), (EQUAL, 0, 5, ARCH_PRCTL),
        (LOAD, 0, 0, ARGUMENT), (EQUAL, 0, 3, ARCH_REQ_XCOMP_PERM),
        (LOAD, 0, 0, ARGUMENT_HIGH), (EQUAL, 0, 1, 0),
        (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)))
    program = Program(len(code) // 8, code)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                      (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "AMX could not be withheld")
