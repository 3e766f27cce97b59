#include "sim/models/monitoring/promql/labels.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::promql {

std::size_t LabelTable::Hash::operator()(std::span<const Label> labels) const noexcept {
  std::size_t hash = 0x9e3779b97f4a7c15ull;
  for (const Label& label : labels) {
    hash = (hash ^ label.first.value) * 0xff51afd7ed558ccdull;
    hash = (hash ^ (hash >> 32) ^ label.second.value) * 0xc4ceb9fe1a85ec53ull;
  }
  return hash ^ (hash >> 29);
}

bool LabelTable::Equal::operator()(std::span<const Label> a, std::span<const Label> b) const noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

LabelTable::LabelTable() : name_label_(names_.intern("__name__")) { store({}); }

LabelsId LabelTable::store(std::vector<Label> sorted) {
  const auto found = index_.find(std::span<const Label>(sorted));
  if (found != index_.end()) return LabelsId{found->second};
  const auto id = static_cast<std::uint32_t>(sets_.size());
  sets_.push_back(std::move(sorted));
  index_.emplace(std::span<const Label>(sets_.back()), id);
  return LabelsId{id};
}

LabelsId LabelTable::intern(std::vector<Label> labels) {
  std::stable_sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.first < b.first; });
  std::vector<Label> unique;
  for (const Label& label : labels) {
    if (!unique.empty() && unique.back().first == label.first) unique.back() = label;
    else unique.push_back(label);
  }
  std::erase_if(unique, [](const Label& label) { return !label.second; });
  return store(std::move(unique));
}

LabelsId LabelTable::intern(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::vector<Label> all;
  for (const auto& [name, value] : labels) all.emplace_back(names_.intern(name), names_.intern(value));
  return intern(std::move(all));
}

Symbol LabelTable::value(LabelsId id, Symbol name) const {
  for (const Label& label : sets_[id.value]) {
    if (label.first == name) return label.second;
  }
  return Symbol{};
}

LabelsId LabelTable::with(LabelsId id, Symbol name, Symbol value) {
  std::vector<Label> labels = sets_[id.value];
  std::erase_if(labels, [&](const Label& label) { return label.first == name; });
  if (value) {
    const auto place = std::find_if(labels.begin(), labels.end(), [&](const Label& label) { return name < label.first; });
    labels.insert(place, Label{name, value});
  }
  return store(std::move(labels));
}

LabelsId LabelTable::without_name(LabelsId id) {
  const auto found = nameless_.find(id.value);
  if (found != nameless_.end()) return LabelsId{found->second};
  const LabelsId result = with(id, name_label_, Symbol{});
  nameless_.emplace(id.value, result.value);
  return result;
}

LabelsId LabelTable::keep(LabelsId id, std::span<const Symbol> names) {
  std::vector<Label> labels = sets_[id.value];
  std::erase_if(labels, [&](const Label& label) { return !std::binary_search(names.begin(), names.end(), label.first); });
  return store(std::move(labels));
}

LabelsId LabelTable::drop(LabelsId id, std::span<const Symbol> names) {
  std::vector<Label> labels = sets_[id.value];
  std::erase_if(labels, [&](const Label& label) { return std::binary_search(names.begin(), names.end(), label.first); });
  return store(std::move(labels));
}

std::vector<std::pair<std::string, std::string>> LabelTable::sorted(LabelsId id) const {
  std::vector<std::pair<std::string, std::string>> result;
  for (const Label& label : sets_[id.value]) {
    if (label.first != name_label_) result.emplace_back(names_.text(label.first), names_.text(label.second));
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::string LabelTable::text(LabelsId id) const {
  std::string text = metric(id);
  std::string inner;
  for (const auto& [name, value] : sorted(id)) {
    std::string quoted;
    for (const char c : value) {
      if (c == '\\' || c == '"') quoted += '\\';
      if (c == '\n') quoted += "\\n";
      else quoted += c;
    }
    inner += fmt::format("{}{}=\"{}\"", inner.empty() ? "" : ", ", name, quoted);
  }
  if (!inner.empty() || text.empty()) text += "{" + inner + "}";
  return text;
}

}  // namespace sim::promql
