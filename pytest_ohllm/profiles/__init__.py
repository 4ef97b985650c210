"""Where connections and their secrets come from: the SDK's own profile files, and references."""
