"""Forks a simulated device's process for each request: most of a start is imports, done here once."""

import marshal
import os
import selectors
import signal
import socket
import struct
import sys

LENGTH = struct.Struct("I")


def fork_for_each():
    """Fork for each request that comes on standard input, a Unix socket; return in each child.

    A request is the length of what follows, sent with file descriptors for standard input, for output, and of
    a line; then the child's arguments, folder and environment. A byte that comes on the line is a signal for
    the child. Where the launcher closes the line, the child is killed; when the child ended, it is closed.
    """
    requests = socket.socket(fileno=os.dup(0))
    ended, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)  # one handled in Python wakes
    lines = {}  # by process
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    selector.register(ended, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj: key.data for key, _ in selector.select()}
        if ended in ready:  # first, and one at a time: this one may close the next
            ended.recv(1024)
            while lines and (process := os.waitpid(-1, os.WNOHANG)[0]):
                line = lines.pop(process)
                selector.unregister(line)
                line.close()
        elif requests in ready:
            header, fds, _, _ = socket.recv_fds(requests, LENGTH.size, 3)
            if not header:  # the launcher has ended
                for process in lines:
                    os.kill(process, signal.SIGKILL)
                sys.exit()
            request = requests.recv(*LENGTH.unpack(header), socket.MSG_WAITALL)
            process = os.fork()
            if not process:
                break
            lines[process] = line = socket.socket(fileno=fds.pop())
            selector.register(line, selectors.EVENT_READ, process)
            for fd in fds:
                os.close(fd)
        else:
            line, process = ready.popitem()
            number = line.recv(1)
            os.kill(process, number[0] if number else signal.SIGKILL)

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for kept in (selector, requests, ended, wake, *lines.values()):
        kept.close()
    _become(request, *fds)


def _become(request, stdin, stdout, line):
    arguments, folder, environment = marshal.loads(request)  # noqa: S302 - our launcher's
    os.setsid()
    for number, fd in enumerate((stdin, stdout, stdout)):
        os.dup2(fd, number)
    for fd in (stdin, stdout, line):
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.nice(int(environment.get("SIM_NICE") or 0))
    sys.argv[1:] = arguments
