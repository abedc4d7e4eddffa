"""Takes part in a run: carries out step after step, and reads packets between them."""

from __future__ import annotations

import select
from collections.abc import Callable

from netlab.cluster.types import Cluster
from netlab.errors import NetlabError
from netlab.kernel.machine import Inside
from netlab.probe.machines.channel import Ended, ParticipantChannel
from netlab.probe.machines.participant import Participant
from netlab.probe.machines.steps import packed, unpacked

# Seconds without a step after which the channel is asked whether the run goes on.
_PULSE = 1.0


def participate(
    channel: ParticipantChannel, cluster: Cluster, lab: str, here: Callable[[str], bool], inside: Inside
) -> None:
    """Take part in a run until its end.

    Args:
      channel: this participant's side of the run's channel.
      cluster: the cluster of the lab, the same on all machines.
      lab: the name under which it runs.
      here: whether a namespace of the lab is on this machine.
      inside: how namespaces are entered.

    Raises:
      HostError: when the channel fails. Other errors go to the coordinator, as its answer, and end the part in the run.
    """
    participant: Participant | None = None
    try:
        while True:
            step = channel.next()
            if step is None:
                if participant is None:
                    _wait(channel)
                else:
                    participant.receive(_PULSE)
                continue
            number, data = step
            try:
                actions, columns = unpacked(data)
                if participant is None:
                    participant = Participant(cluster, lab, here, inside, actions[0])
                    participant.shared.sockets.wake(channel)
                answer = participant.do(actions, columns)
            except (NetlabError, OSError, ValueError, LookupError, TypeError) as error:
                channel.answer(number, packed({"error": f"{error}" or type(error).__name__}))
                return
            channel.answer(number, answer)
            if participant.ended:
                return
    except Ended:
        return
    finally:
        if participant is not None:
            participant.close()


def _wait(channel: ParticipantChannel) -> None:
    select.select([channel], [], [], _PULSE)
    channel.clear()
