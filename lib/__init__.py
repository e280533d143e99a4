"""tgauth's library, imported by the functions in api/.

Data flows one way, api → web → telegram → sessions → store, and nothing imports what stands before it.
Leaves, for all of them: `settings`, `environment`, `credentials`, `errors`, `log`, `budget`, `deferred`,
`http_client`, `http_connection`, `telegram.user`.

This file must exist: a dependency that ships a package called `lib` would win over a folder without it.
"""
