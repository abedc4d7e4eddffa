"""Policies that a cluster has and an input lacks: a dump did not gather them, or a user may not list them.

Such policies are an unread policy of a kind of netlab's own. So every verdict that one of them could change is
``unknown``, and ``--ignore`` says that there are none.
"""

from __future__ import annotations

from netlab.objects.types import Document, Source
from netlab.objects.unread import UNLISTED, UNLISTED_NAME

KIND, GROUP = UNLISTED, "unlisted.netlab"


def unlisted(namespace: str, source: Source, policies: str = "") -> Document:
    """Return the document for the policies of a namespace, "" for those of the whole cluster.

    ``policies``: ``PLURAL.GROUP`` of their kind; "" for NetworkPolicies.
    """
    metadata = {"name": policies or UNLISTED_NAME, **({"namespace": namespace} if namespace else {})}
    return Document({"apiVersion": f"{GROUP}/v1alpha1", "kind": KIND, "metadata": metadata}, source)
