"""`make bench`: this stack beside upstream's defaults, the Uberspace guide, Debian, and the MTA.

`variants` says what is compared, `measurements` what is measured and how, `keys` what the figures
are held against; `report` and `chart` write it down. What runs in containers is in `inside/`.
"""
