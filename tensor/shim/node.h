// Autograd nodes of our own. torch::autograd::Function is not used: it takes no
// lists of tensors and, in 1.13, no absent ones.
#pragma once

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <vector>

#include "shim.h"

namespace remuda {

using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// records tells whether an operation on these has to be recorded.
template <class List>
bool records(const List& inputs) {
  if (!at::GradMode::is_enabled()) return false;
  for (const Tensor& t : inputs)
    if (t.defined() && t.requires_grad()) return true;
  return false;
}

inline bool records(std::initializer_list<Tensor> inputs) { return records<std::initializer_list<Tensor>>(inputs); }

// new_node makes a node whose backward returns one gradient per input, in order.
template <class T, class List>
std::shared_ptr<T> new_node(const List& inputs) {
  std::shared_ptr<T> node(new T(), torch::autograd::deleteNode);
  torch::autograd::edge_list edges;
  for (const Tensor& t : inputs) edges.push_back(t.defined() ? torch::autograd::impl::gradient_edge(t) : torch::autograd::Edge());
  node->set_next_edges(std::move(edges));
  return node;
}

// attach makes t an output of a node; outputs are attached in order.
inline void attach(const std::shared_ptr<Node>& node, const Tensor& t) {
  torch::autograd::impl::set_gradient_edge(t, {node, node->add_input_metadata(t)});
}

}  // namespace remuda
