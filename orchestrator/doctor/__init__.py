"""What keeps a server on this machine from working, or endangers what it stores: found before it is started.

A check is a function of the settings that yields `Finding`s. It changes nothing, and what it cannot find out is a
finding, too.
"""
