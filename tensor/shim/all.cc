// One translation unit: libtorch's headers are read once.
#include "core.cc"
#include "ops.cc"
#include "conv.cc"
#include "conv_sparse.cc"
#include "optim.cc"
#include "sample.cc"
#include "sample_composite.cc"
