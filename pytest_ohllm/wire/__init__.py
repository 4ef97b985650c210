"""HTTP: what went over the wire, and raw requests that no client library has touched."""
