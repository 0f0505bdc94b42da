// Where tensors' memory comes from.
#pragma once

namespace remuda {

// use_arena makes large tensors on the CPU come from one range of addresses,
// for the whole process and once.
void use_arena();

}  // namespace remuda
