"""Telling others what happens: how each event gets to who wants it.

secrets      what signs                     settings   schedule and limits
sending      one attempt                    schedule   what follows from it
courier      whoever brings one webhook     couriers   all of them
             its events                     slots      whose turn it is
terms        what may be registered
"""
