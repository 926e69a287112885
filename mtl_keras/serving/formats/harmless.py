"""What a SavedModel would do when it is read and run: nothing but compute.

TensorFlow says itself that such a file is a program: https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md.
"""

from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from mtl_keras.errors import UserError

# All that networks of Keras' layers compute with, none of which reaches a file, another program or the network, or is
# told a place in its attributes; and what reads their variables and calls functions, which are looked at as well.
COMPUTING = """
Abs AddN AddV2 All Any ArgMax ArgMin Assert AvgPool BatchMatMulV2 BiasAdd Bitcast BitwiseAnd BroadcastTo Cast Ceil
ClipByValue ConcatV2 Const Conv2D Conv2DBackpropInput Cos Cumsum DepthToSpace DepthwiseConv2dNative DivNoNan Einsum
Elu Equal Erf Erfc Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod FusedBatchNormV3 GatherNd GatherV2 Greater
GreaterEqual Identity IdentityN If IsFinite IsInf IsNan LeakyRelu Less LessEqual Log Log1p LogSoftmax LogicalAnd
LogicalNot LogicalOr MatMul Max MaxPool Maximum Mean Min Minimum MirrorPad Mul Neg NoOp NotEqual OneHot OnesLike Pack
Pad PadV2 PartitionedCall Placeholder Pow Prod Range Rank ReadVariableOp RealDiv Reciprocal Relu Relu6 Reshape
ResizeBicubic ResizeBilinear ResizeNearestNeighbor ReverseV2 Roll Round Rsqrt ScatterNd Select SelectV2 Selu Shape
Sigmoid Sign Sin Size Slice Softmax Softplus Softsign SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square
SquaredDifference Squeeze StatefulPartitionedCall StatelessIf StatelessWhile StopGradient StridedSlice Sub Sum Tan
Tanh TensorScatterUpdate Tile TopKV2 Transpose Unpack VarHandleOp Where While ZerosLike
"""
ALLOWED = {*COMPUTING.split()}
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


def check_operations(path: Path) -> None:
    """Refuse a `saved_model.pb` with operations that are not known to do nothing but compute.

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
            allowed = ALLOWED if name in called else ALLOWED | CHECKPOINT
            if node.op not in allowed and node.op not in functions:
                raise UserError(
                    f"{path}: holds the operation {node.op} ({node.name}), which may reach files or programs; expected "
                    "a network that only computes: get it from elsewhere, or export it in another format"
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
