// Autograd nodes of our own. torch::autograd::Function is not used: it takes no
// lists of tensors and, in 1.13, no absent ones.
#pragma once

#include <c10/core/GradMode.h>
#include <c10/util/intrusive_ptr.h>
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
  if (!c10::GradMode::is_enabled()) return false;
  for (const Tensor& t : inputs)
    if (t.defined() && t.requires_grad()) return true;
  return false;
}

inline bool records(std::initializer_list<Tensor> inputs) { return records<std::initializer_list<Tensor>>(inputs); }

// libtorch holds nodes by std::shared_ptr, and by c10::intrusive_ptr since about 2.14.
template <class P>
struct Holder;

template <>
struct Holder<std::shared_ptr<Node>> {
  template <class T>
  static std::shared_ptr<T> make() {
    return {new T(), [](auto* node) { deleteNode(node); }};
  }
};

template <>
struct Holder<c10::intrusive_ptr<Node>> {
  template <class T>
  static c10::intrusive_ptr<T> make() {
    return c10::make_intrusive<T>();
  }
};

using NodePtr = decltype(torch::autograd::Edge::function);

// new_node makes a node whose backward returns one gradient per input, in order.
template <class T, class List>
auto new_node(const List& inputs) {
  auto node = Holder<NodePtr>::template make<T>();
  torch::autograd::edge_list edges;
  for (const Tensor& t : inputs) edges.push_back(t.defined() ? torch::autograd::impl::gradient_edge(t) : torch::autograd::Edge());
  node->set_next_edges(std::move(edges));
  return node;
}

// attach makes t an output of a node; outputs are attached in order.
inline void attach(const NodePtr& node, const Tensor& t) {
  torch::autograd::impl::set_gradient_edge(t, {node, node->add_input_metadata(t)});
}

// save keeps a tensor for backward, which fails if it is written to before. An
// output must be saved before it is attached, or it would keep itself alive.
inline SavedVariable save(const Tensor& t) { return t.defined() ? SavedVariable(t.detach(), false) : SavedVariable(); }

}  // namespace remuda
