"""The servers that the local stack and the tests run, each as a process of its own on 127.0.0.1.

guard       ends a process, and everything it started, once its owner is gone
processes   a guarded child process with its log
loopback    free ports, and whether a server answers
scratch     a directory for each run of a server
server      what all servers share: start, stop, restart, close
java        finds or downloads a Java runtime
opensearch  typesense  emulator   the servers themselves
"""
