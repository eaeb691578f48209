"""What the test stack has of its own."""

ALLAUTH_TRUSTED_PROXY_COUNT = 1  # each test's browser names an address, as if a proxy had
