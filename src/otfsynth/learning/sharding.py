"""Fully sharded training (Zhao et al., VLDB 2023): every GPU keeps a part of weights, gradients and optimiser state."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.plugins.precision.fsdp import FSDPPrecision
from lightning.pytorch.strategies import FSDPStrategy, Strategy
from torch import nn
from torch.distributed.fsdp import FullStateDictConfig, OptimStateKeyType, StateDictType
from torch.distributed.fsdp import FullyShardedDataParallel as Fsdp
from torch.distributed.fsdp.wrap import CustomPolicy

SHARDED_BLOCKS = ("StackedConvBlocks", "StackedResidualBlocks")
"""Parts of nnU-Net's networks that are gathered one after the other: the blocks of one resolution."""


def build_strategy(name: str) -> Strategy | str:
    """What Lightning's trainer takes for ``trainer.strategy``."""
    if name != "fsdp":
        return name
    return ShardedStrategy(auto_wrap_policy=CustomPolicy(is_sharded_block))


def is_sharded_block(module: nn.Module) -> bool:
    """Whether a part of the network is gathered by itself; what is in none is gathered with the whole."""
    return type(module).__name__ in SHARDED_BLOCKS


class ShardedPrecision(FSDPPrecision):
    """Lightning's, without the conversion of inputs, which refuses frozen dataclasses."""

    def convert_input(self, data: Any) -> Any:
        """The batch, as it is."""
        return data


class ShardedStrategy(FSDPStrategy):
    """Lightning's FSDP with checkpoints of whole networks in otfsynth's layout, as every other strategy writes them."""

    def setup_environment(self) -> None:
        """Leave batches to FSDP itself, which knows how to cast what is frozen."""
        self.precision_plugin = ShardedPrecision(self.precision_plugin.precision)
        super().setup_environment()

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read the file on every rank, and keep this rank's part of weights and optimiser state.

        Lightning's own would read the file as one of its own and pass by :class:`CheckpointFiles`.
        """
        assert self.model is not None
        checkpoint = self.checkpoint_io.load_checkpoint(self.broadcast(checkpoint_path))
        with Fsdp.state_dict_type(self.model, StateDictType.FULL_STATE_DICT, FullStateDictConfig(rank0_only=False)):
            self.model.load_state_dict(checkpoint["state_dict"])
            for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
                named = Fsdp.rekey_optim_state_dict(state, OptimStateKeyType.PARAM_NAME, self.model)
                optimizer.load_state_dict(Fsdp.optim_state_dict_to_load(self.model, optimizer, named))
        return checkpoint
