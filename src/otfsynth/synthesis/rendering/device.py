"""Rendering a whole batch on a device: record every sample, merge the records stage by stage, copy once, launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from otfsynth.kernels.device import Device, Launch, geometry
from otfsynth.kernels.packing import PackedBuffer, PackedBufferFullError
from otfsynth.labels import LabelScheme
from otfsynth.synthesis.rendering.recording import Call, DeviceWorkspace, RecordingLauncher
from otfsynth.synthesis.rendering.schedule import merge
from otfsynth.synthesis.rendering.sequence import ChannelToRender, run_stages
from otfsynth.synthesis.rendering.tables import LabelTables


@dataclass(frozen=True)
class Stage:
    """One step of a batch: a launch over its operators, or what torch does for each sample."""

    name: str
    geometry: Launch | None = None
    address: int = 0
    work: tuple[Callable[[], None], ...] = ()

    def run(self, device: Device) -> None:
        """Queue it."""
        if self.geometry is not None:
            device.launch(self.name, self.geometry, self.address)
        for work in self.work:
            work()


@dataclass(frozen=True)
class Plan:
    """A batch, ready to run: one copy, then its stages. Both only queue work; neither waits nor synchronises.

    ``launch`` may be captured in a CUDA graph when a batch of the same renderer has run before; the graph is good
    until the renderer plans its next batch.
    """

    device: Device
    stages: tuple[Stage, ...]
    copy: tuple[Tensor, Tensor]
    """Device and staging memory of every struct and table."""
    channels: tuple[ChannelToRender, ...]
    """Their label maps, images and targets are in use until everything is queued."""

    def upload(self) -> None:
        """Queue the one copy."""
        on_device, staged = self.copy
        on_device.copy_(staged, non_blocking=True)

    def launch(self) -> None:
        """Queue every stage."""
        for stage in self.stages:
            stage.run(self.device)


class DeviceRenderer:
    """Renders batches of one scheme on one device; keeps its working memory. Not for two threads at once.

    Args:
        scheme: labels and classes.
        device: where label maps, images and targets lie.
        packed_bytes: first size of the buffer of structs and tables, which grows where a batch needs more.
    """

    def __init__(self, scheme: LabelScheme, device: Device, packed_bytes: int = 1 << 18) -> None:
        self.device = device
        self._tables = LabelTables(scheme)
        self._packed = PackedBuffer(device, packed_bytes)
        self._workspaces: list[DeviceWorkspace] = []

    def render(self, channels: Sequence[ChannelToRender]) -> None:
        """Queue the filling of every image and target, which lie on the device."""
        plan = self.plan(channels)
        plan.upload()
        plan.launch()

    def plan(self, channels: Sequence[ChannelToRender]) -> Plan:
        """The batch as launches; nothing is queued."""
        self.device.ready()
        while len(self._workspaces) < len(channels):
            self._workspaces.append(DeviceWorkspace(self.device.place, self._packed))
        while True:
            try:
                return Plan(self.device, self._pack(channels), self._packed.packed(), tuple(channels))
            except PackedBufferFullError:
                self._packed.grow()

    def _pack(self, channels: Sequence[ChannelToRender]) -> tuple[Stage, ...]:
        self._packed.begin()
        recorded = []
        for channel, workspace in zip(channels, self._workspaces, strict=False):
            launch = RecordingLauncher(workspace)
            run_stages(launch, channel, self._tables)
            recorded.append(launch.calls)
        return tuple(self._stage(group) for group in merge(recorded))

    def _stage(self, group: Sequence[Call]) -> Stage:
        name = group[0].name
        works = tuple(call.work for call in group if call.work is not None)
        if works:
            return Stage(name, work=works)
        structs = [call.operator for call in group if call.operator is not None]
        # Joined as bytes: concatenating structs would drop their padding.
        operators = np.frombuffer(b"".join(struct.tobytes() for struct in structs), structs[0].dtype)
        return Stage(name, geometry(name, operators), self._packed.put(operators))
