"""The domain: parties and their keys, signed orders, shares, manifests, receipts, messages, entries.

Pure like the engines below it. What an order means and who may give it is decided here, so that the
gateway, the keyholder, an auditor and the other side run the same lines.
"""
