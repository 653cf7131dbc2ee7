"""The client of the Business Logic Orchestrator for producers of events, for who asks what became of them, and for
workers that deliver commands.

`Client` and `AsyncClient` speak HTTP; `Publisher` and `AsyncPublisher` publish in the background; a `Spool` keeps what
they have not published yet on disk. Everything that fails is a `ClientError`.
"""

from __future__ import annotations

from orchestrator_client.answers import Followed as Followed
from orchestrator_client.answers import Page as Page
from orchestrator_client.answers import Published as Published
from orchestrator_client.answers import Row as Row
from orchestrator_client.answers import Watched as Watched
from orchestrator_client.async_client import AsyncClient as AsyncClient
from orchestrator_client.async_publisher import AsyncPublisher as AsyncPublisher
from orchestrator_client.client import Client as Client
from orchestrator_client.errors import Busy as Busy
from orchestrator_client.errors import ClientError as ClientError
from orchestrator_client.errors import Conflict as Conflict
from orchestrator_client.errors import EventError as EventError
from orchestrator_client.errors import Invalid as Invalid
from orchestrator_client.errors import LeaseLost as LeaseLost
from orchestrator_client.errors import NotFound as NotFound
from orchestrator_client.errors import NotOurs as NotOurs
from orchestrator_client.errors import NotPublished as NotPublished
from orchestrator_client.errors import NotReached as NotReached
from orchestrator_client.errors import Problem as Problem
from orchestrator_client.errors import QueueFull as QueueFull
from orchestrator_client.errors import Refusal as Refusal
from orchestrator_client.errors import SpoolDamaged as SpoolDamaged
from orchestrator_client.errors import SpoolError as SpoolError
from orchestrator_client.errors import SpoolFull as SpoolFull
from orchestrator_client.errors import SpoolLocked as SpoolLocked
from orchestrator_client.errors import Unreachable as Unreachable
from orchestrator_client.event import Event as Event
from orchestrator_client.publisher import Publisher as Publisher
from orchestrator_client.retry import ONCE as ONCE
from orchestrator_client.retry import Retry as Retry
from orchestrator_client.spool import Spool as Spool
from orchestrator_client.waiting import Queue as Queue
from orchestrator_client.wire import segment as segment
from orchestrator_client.work import Leased as Leased
from orchestrator_client.work import Outcome as Outcome
from orchestrator_client.work import Settled as Settled
