"""The embedded provider: real HTTP on loopback, played by a competent agent with chosen quirks.

``turn`` and ``response`` hold the nouns. A request passes through ``protocols`` (bytes to a
``Turn``), ``agent`` (a ``Turn`` to a ``Reply``), ``personalities`` (quirks at four fixed points),
``protocols`` again (a ``Reply`` to bytes) and ``latency`` (when each byte leaves). ``provider`` is
that chain without any network, ``application`` and ``listener`` put it on a socket, ``server`` is
the door. A new protocol is one module in ``protocols``, a new personality one declaration in
``personalities``, whose docstring tells how names combine and when a quirk shows.
"""
