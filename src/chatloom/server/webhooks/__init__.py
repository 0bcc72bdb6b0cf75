"""Telling others what happens: which events there are, and how each gets to who wants it.

    events       what there is to tell          reports    what a turn, an edit … has to tell
    secrets      what signs                     settings   schedule and limits
    sending      one attempt                    schedule   what follows from it
    courier      whoever brings one webhook     couriers   all of them
                 its events                     slots      whose turn it is
    terms        what may be registered

An event is stored in the transaction of what it reports (`store/webhooks.py`).
"""
