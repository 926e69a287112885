"""What a SavedModel would do when it is read and run: nothing but compute.

TensorFlow says itself that such a file is a program: https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md.
"""

import re
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.types_pb2 import DT_STRING
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import op_def_registry

from mtl_keras.errors import UserError

# Operations with a state that a network needs: its variables, and calls of functions, which are looked at as well.
STATEFUL = {"VarHandleOp", "ReadVariableOp", "StatefulPartitionedCall", "If", "While", "Assert"}
# What every SavedModel holds to be written and read again, none of which its answers may call.
CHECKPOINT = {
    "SaveV2",
    "RestoreV2",
    "MergeV2Checkpoints",
    "ShardedFilename",
    "StringJoin",
    "AssignVariableOp",
    "VarIsInitializedOp",
    "StaticRegexFullMatch",
    "DisableCopyOnRead",
}
# Without a state or texts, and yet no computing: these call Python or other programs, end the process, or name files
# and addresses in their attributes.
FORBIDDEN = {
    "PyFunc",
    "PyFuncStateless",
    "EagerPyFunc",
    "ImmutableConst",
    "Copy",
    "CopyHost",
    "EncodeProto",
    "DecodeProtoV2",
    "Abort",
    "XlaCustomCall",
    "XlaCustomCallV2",
    "MlirPassthroughOp",
}
FORBIDDEN_KINDS = re.compile(r"^(Debug|Remote|XlaLaunch|Tpu|TPU|Send|Recv|_)|Dataset")


def check_operations(path: Path) -> None:
    """Refuse a `saved_model.pb` with operations that reach files, Python or anything else but numbers.

    Those that write and read checkpoints are let be where nothing that is run or loaded calls them.
    """
    saved = SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
        (graph,) = saved.meta_graphs
    except (DecodeError, ValueError):
        raise UserError(f"{path}: damaged; export the network again or copy the folder anew") from None
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    objects = graph.object_graph_def
    if not objects.nodes:
        raise UserError(f"{path}: is a SavedModel of TensorFlow 1; export the network again")
    called = {name for name in objects.concrete_functions}.union(
        each.bare_concrete_function.concrete_function_name for each in objects.nodes
    )
    for each in objects.nodes:
        if each.WhichOneof("kind") in ("asset", "resource"):
            raise UserError(f"{path}: holds {each.WhichOneof('kind')}s; expected a network, which needs none")
    called = _with_all_they_call(called, functions)
    for name, nodes in {"": graph.graph_def.node, **functions}.items():
        for node in nodes:
            allowed = STATEFUL if name in called else STATEFUL | CHECKPOINT
            if not (node.op in allowed or node.op in functions or (_is_pure(node.op) and not _names_places(node))):
                raise UserError(
                    f"{path}: holds the operation {node.op} ({node.name}), which may reach files or programs; expected "
                    "a network that only computes: get it from elsewhere, or export it again"
                )


def _with_all_they_call(names: set[str], functions: dict) -> set[str]:
    """Return functions by name, and all that these call at any depth."""
    found, todo = set(), [*names]
    while todo:
        name = todo.pop()
        if name in found or name not in functions:
            continue
        found.add(name)
        for node in functions[name]:
            todo.append(node.op)
            for value in node.attr.values():
                todo += [value.func.name, *(each.name for each in value.list.func)]
    return found


def _is_pure(name: str) -> bool:
    """Return whether an operation only computes numbers from numbers; files are named by text."""
    known = op_def_registry.get(name)
    takes_text = known is not None and any(argument.type == DT_STRING for argument in known.input_arg)
    forbidden = name in FORBIDDEN or FORBIDDEN_KINDS.search(name)
    return known is not None and not known.is_stateful and not takes_text and not forbidden


def _names_places(node: NodeDef) -> bool:
    """Return whether an operation that only computes has a file or an address among its own attributes."""
    values = (value for name, value in node.attr.items() if not name.startswith("_"))
    return any(b"/" in text for value in values for text in (value.s, *value.list.s))
