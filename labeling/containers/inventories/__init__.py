"""What files hold besides metadata blocks and coded pictures: one module for the formats of one family.

Each offers ``inventory(data, contents)``, as :mod:`labeling.containers.base` describes it; the row of the format names
it. They list and do not judge: :mod:`labeling.preservation` compares.
"""
