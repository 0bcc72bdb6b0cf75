"""What happens in an account, as it is told: which events there are, and what is said of each.

    kinds      the events, and the body around what is said
    reports    what a turn, an edit, a memory … has to tell

They are stored in the transaction of what they report (`store/webhooks.py`), and brought to those
who want them by `webhooks/`.
"""
