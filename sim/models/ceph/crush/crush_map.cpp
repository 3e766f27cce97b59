#include "sim/models/ceph/crush/crush_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/core/check.hpp"

namespace sim::ceph::crush {

namespace {

const std::string kNoName;

constexpr std::string_view kAlgNames[] = {"uniform", "list", "tree", "straw", "straw2"};

/// Labels of a tree bucket's nodes: leaf i is 2i + 1, an inner node's height is how often 2 divides its label.
std::uint32_t tree_parent(std::uint32_t node) {
  const std::uint32_t height = static_cast<std::uint32_t>(__builtin_ctz(node));
  const bool on_right = (node & (1u << (height + 1))) != 0;
  return on_right ? node - (1u << height) : node + (1u << height);
}

std::uint32_t tree_depth(std::size_t size) {
  std::uint32_t depth = 1;
  for (std::size_t rest = size - 1; rest != 0; rest >>= 1) ++depth;
  return depth;
}

std::vector<std::uint32_t> tree_node_weights(const std::vector<std::uint32_t>& weights) {
  if (weights.empty()) return {};
  const std::uint32_t depth = tree_depth(weights.size());
  std::vector<std::uint32_t> nodes(std::size_t{1} << depth);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    std::uint32_t node = static_cast<std::uint32_t>(2 * i + 1);
    nodes[node] = weights[i];
    for (std::uint32_t level = 1; level < depth; ++level) {
      node = tree_parent(node);
      nodes[node] += weights[i];
    }
  }
  return nodes;
}

/// Lengths of straws. std::pow, not sim::math::pow: the result is cut to 16.16 bits and has to be that of Ceph, which asks the C library.
std::vector<std::uint32_t> straw_lengths(const std::vector<std::uint32_t>& weights, std::uint8_t version) {
  const std::size_t size = weights.size();
  std::vector<std::size_t> order(size);
  for (std::size_t i = 0; i < size; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&weights](std::size_t a, std::size_t b) { return weights[a] < weights[b]; });
  std::vector<std::uint32_t> straws(size);
  double straw = 1.0;
  double below = 0;
  double last = 0;
  // Unsigned and 32 bits wide where Ceph multiplies so: it wraps there too.
  std::uint32_t left = static_cast<std::uint32_t>(size);
  for (std::size_t i = 0; i < size;) {
    const std::uint32_t weight = weights[order[i]];
    if (weight == 0) {
      straws[order[i]] = 0;
      ++i;
      if (version >= 1) --left;
      continue;
    }
    straws[order[i]] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(straw * kWeightOne));
    ++i;
    if (i == size) break;
    const std::uint32_t next = weights[order[i]];
    if (version == 0) {
      if (next == weight) continue;
      below += (static_cast<double>(weight) - last) * static_cast<std::int32_t>(left);
      for (std::size_t j = i; j < size && weights[order[j]] == next; ++j) --left;
    } else {
      below += (static_cast<double>(weight) - last) * static_cast<std::int32_t>(left);
      --left;
    }
    const double step = left * (next - weight);
    const double share = below / (below + step);
    straw *= std::pow(1.0 / share, 1.0 / static_cast<std::int32_t>(left));
    last = weight;
  }
  return straws;
}

}  // namespace

const char* to_string(BucketAlg alg) { return kAlgNames[static_cast<std::size_t>(alg) - 1].data(); }

std::optional<BucketAlg> parse_bucket_alg(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kAlgNames); ++i) {
    if (kAlgNames[i] == text) return static_cast<BucketAlg>(i + 1);
  }
  return std::nullopt;
}

std::optional<TunablesProfile> parse_tunables_profile(std::string_view text) {
  if (text == "legacy" || text == "argonaut") return TunablesProfile::kLegacy;
  if (text == "bobtail") return TunablesProfile::kBobtail;
  if (text == "firefly") return TunablesProfile::kFirefly;
  if (text == "hammer") return TunablesProfile::kHammer;
  if (text == "jewel" || text == "optimal" || text == "default") return TunablesProfile::kJewel;
  return std::nullopt;
}

Tunables Tunables::of(TunablesProfile profile) {
  constexpr std::uint32_t kLegacyAlgs = 22;  // uniform, list, straw
  constexpr std::uint32_t kHammerAlgs = 54;  // and straw2
  switch (profile) {
    case TunablesProfile::kLegacy: return {2, 5, 19, 0, 0, 0, 0, kLegacyAlgs};
    case TunablesProfile::kBobtail: return {0, 0, 50, 1, 0, 0, 0, kLegacyAlgs};
    case TunablesProfile::kFirefly: return {0, 0, 50, 1, 1, 0, 0, kLegacyAlgs};
    case TunablesProfile::kHammer: return {0, 0, 50, 1, 1, 0, 1, kHammerAlgs};
    case TunablesProfile::kJewel: break;
  }
  return {0, 0, 50, 1, 1, 1, 1, kHammerAlgs};
}

std::uint32_t weight_from_float(float weight) { return static_cast<std::uint32_t>(weight * static_cast<float>(kWeightOne)); }

CrushMap CrushMap::with_default_types(TunablesProfile profile) {
  constexpr std::string_view kTypes[] = {"osd", "host", "chassis", "rack", "row", "pdu", "pod", "room", "datacenter", "zone", "region", "root"};
  CrushMap map(profile);
  for (std::size_t i = 0; i < std::size(kTypes); ++i) map.set_type(static_cast<std::uint16_t>(i), std::string(kTypes[i]));
  return map;
}

void CrushMap::set_type(std::uint16_t id, std::string name) {
  ++version_;
  types_[id] = std::move(name);
}

std::optional<std::uint16_t> CrushMap::type_id(std::string_view name) const {
  for (const auto& [id, type] : types_) {
    if (type == name) return id;
  }
  return std::nullopt;
}

const std::string& CrushMap::type_name(std::uint16_t id) const {
  const auto found = types_.find(id);
  return found == types_.end() ? kNoName : found->second;
}

void CrushMap::set_item_name(std::int32_t id, std::string name) {
  ++version_;
  const auto old = item_names_.find(id);
  if (old != item_names_.end()) item_ids_.erase(old->second);
  item_ids_[name] = id;
  item_names_[id] = std::move(name);
}

const std::string& CrushMap::item_name(std::int32_t id) const {
  const auto found = item_names_.find(id);
  return found == item_names_.end() ? kNoName : found->second;
}

std::optional<std::int32_t> CrushMap::item_id(std::string_view name) const {
  const auto found = item_ids_.find(name);
  return found == item_ids_.end() ? std::nullopt : std::optional(found->second);
}

const Bucket* CrushMap::bucket(std::int32_t id) const {
  const std::int64_t at = -1 - static_cast<std::int64_t>(id);
  if (at < 0 || at >= static_cast<std::int64_t>(buckets_.size())) return nullptr;
  const auto& place = buckets_[static_cast<std::size_t>(at)];
  return place ? &*place : nullptr;
}

Bucket* CrushMap::find(std::int32_t id) { return const_cast<Bucket*>(std::as_const(*this).bucket(id)); }

bool CrushMap::is_in_tree(std::int32_t item) const {
  return std::any_of(buckets_.begin(), buckets_.end(), [item](const std::optional<Bucket>& bucket) {
    return bucket && std::find(bucket->items.begin(), bucket->items.end(), item) != bucket->items.end();
  });
}

std::vector<std::int32_t> CrushMap::parents(std::int32_t item) const {
  std::vector<std::int32_t> found;
  for (const auto& bucket : buckets_) {
    if (bucket && std::find(bucket->items.begin(), bucket->items.end(), item) != bucket->items.end()) found.push_back(bucket->id);
  }
  return found;
}

std::optional<std::int32_t> CrushMap::parent(std::int32_t item) const {
  for (const std::int32_t id : parents(item)) {
    if (!is_shadow(id)) return id;
  }
  return std::nullopt;
}

std::optional<std::int32_t> CrushMap::ancestor(std::int32_t item, std::uint16_t type) const {
  std::optional<std::int32_t> at = parent(item);
  while (at && bucket(*at)->type != type) at = parent(*at);
  return at;
}

std::vector<std::int32_t> CrushMap::roots() const {
  std::set<std::int32_t> held;
  for (const auto& bucket : buckets_) {
    if (bucket) held.insert(bucket->items.begin(), bucket->items.end());
  }
  std::vector<std::int32_t> found;
  for (auto bucket = buckets_.rbegin(); bucket != buckets_.rend(); ++bucket) {
    if (*bucket && !held.contains((*bucket)->id)) found.push_back((*bucket)->id);
  }
  return found;
}

std::vector<std::int32_t> CrushMap::nonshadow_roots() const {
  std::vector<std::int32_t> found = roots();
  std::erase_if(found, [this](std::int32_t id) { return is_shadow(id); });
  return found;
}

std::vector<std::int32_t> CrushMap::devices_below(std::int32_t item) const {
  if (item >= 0) return {item};
  std::vector<std::int32_t> found;
  const Bucket* here = bucket(item);
  if (here == nullptr) return found;
  for (const std::int32_t child : here->items) {
    const std::vector<std::int32_t> below = devices_below(child);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

void CrushMap::derive(Bucket& bucket) const {
  bucket.weight = 0;
  for (const std::uint32_t weight : bucket.weights) bucket.weight += weight;
  bucket.table.clear();
  if (bucket.alg == BucketAlg::kList) {
    std::uint32_t sum = 0;
    for (const std::uint32_t weight : bucket.weights) bucket.table.push_back(sum += weight);
  } else if (bucket.alg == BucketAlg::kTree) {
    bucket.table = tree_node_weights(bucket.weights);
  } else if (bucket.alg == BucketAlg::kStraw) {
    bucket.table = straw_lengths(bucket.weights, tunables.straw_calc_version);
  }
}

bool CrushMap::put_bucket(Bucket bucket, std::string name) {
  SIM_CHECK(bucket.id < 0, "ids of buckets are negative");
  SIM_CHECK(bucket.items.size() == bucket.weights.size(), "every item of a bucket has a weight");
  const std::size_t at = static_cast<std::size_t>(-1 - static_cast<std::int64_t>(bucket.id));
  if (at >= buckets_.size()) buckets_.resize(at + 1);
  if (buckets_[at]) return false;
  derive(bucket);
  for (const std::int32_t item : bucket.items) max_devices_ = std::max(max_devices_, item + 1);
  if (!name.empty()) set_item_name(bucket.id, std::move(name));
  buckets_[at] = std::move(bucket);
  ++version_;
  return true;
}

std::int32_t CrushMap::add_bucket(std::string name, std::uint16_t type, BucketAlg alg, std::int32_t id) {
  SIM_CHECK(!item_ids_.contains(name), "names of items are unique");
  Bucket bucket;
  bucket.id = id;
  if (id == 0) {
    std::size_t at = 0;
    while (at < buckets_.size() && buckets_[at]) ++at;
    bucket.id = -1 - static_cast<std::int32_t>(at);
  }
  id = bucket.id;
  bucket.type = type;
  bucket.alg = alg;
  SIM_CHECK(put_bucket(std::move(bucket), std::move(name)), "ids of buckets are unique");
  return id;
}

void CrushMap::add_to_bucket(Bucket& bucket, std::int32_t item, std::uint32_t weight) {
  bucket.items.push_back(item);
  bucket.weights.push_back(weight);
  derive(bucket);
  max_devices_ = std::max(max_devices_, item + 1);
  ++version_;
}

void CrushMap::insert_item(std::int32_t item, std::uint32_t weight, std::int32_t bucket_id) {
  Bucket* bucket = find(bucket_id);
  SIM_CHECK(bucket != nullptr, "an item is put into a bucket that exists");
  add_to_bucket(*bucket, item, weight);
  set_item_weight(bucket_id, bucket->weight);
}

void CrushMap::insert_device(std::int32_t id, std::uint32_t weight, std::int32_t bucket, std::string_view device_class) {
  SIM_CHECK(id >= 0, "ids of devices are not negative");
  if (item_name(id).empty()) set_item_name(id, fmt::format("osd.{}", id));
  if (!device_class.empty()) set_device_class(id, device_class);
  insert_item(id, weight, bucket);
}

void CrushMap::set_item_weight(std::int32_t item, std::uint32_t weight) {
  for (const std::int32_t id : parents(item)) {
    Bucket& bucket = *find(id);
    for (std::size_t i = 0; i < bucket.items.size(); ++i) {
      if (bucket.items[i] == item) bucket.weights[i] = weight;
    }
    derive(bucket);
    set_item_weight(id, bucket.weight);
  }
  ++version_;
}

void CrushMap::remove_item(std::int32_t item) {
  for (const std::int32_t id : parents(item)) {
    Bucket& bucket = *find(id);
    for (std::size_t i = bucket.items.size(); i-- > 0;) {
      if (bucket.items[i] != item) continue;
      bucket.items.erase(bucket.items.begin() + static_cast<std::ptrdiff_t>(i));
      bucket.weights.erase(bucket.weights.begin() + static_cast<std::ptrdiff_t>(i));
      for (auto& [key, args] : choose_args) {
        const auto found = args.find(id);
        if (found == args.end()) continue;
        for (auto& weights : found->second.weight_set) weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(i));
        if (!found->second.ids.empty()) found->second.ids.erase(found->second.ids.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    derive(bucket);
    set_item_weight(id, bucket.weight);
  }
  recount_devices();
  ++version_;
}

void CrushMap::recount_devices() {
  max_devices_ = 0;
  for (const auto& bucket : buckets_) {
    if (!bucket) continue;
    for (const std::int32_t item : bucket->items) max_devices_ = std::max(max_devices_, item + 1);
  }
}

void CrushMap::set_device_class(std::int32_t device, std::string_view device_class) {
  device_class_[device] = class_id(device_class);
  ++version_;
}

const std::string& CrushMap::device_class(std::int32_t device) const {
  const auto found = device_class_.find(device);
  return found == device_class_.end() ? kNoName : classes_.at(found->second);
}

std::int32_t CrushMap::class_id(std::string_view name) {
  if (const std::optional<std::int32_t> found = find_class(name)) return *found;
  const std::int32_t id = classes_.empty() ? 0 : classes_.rbegin()->first + 1;
  classes_[id] = name;
  return id;
}

std::optional<std::int32_t> CrushMap::find_class(std::string_view name) const {
  for (const auto& [id, text] : classes_) {
    if (text == name) return id;
  }
  return std::nullopt;
}

std::optional<std::int32_t> CrushMap::shadow(std::int32_t bucket, std::int32_t class_id) const {
  const auto by_class = shadows_.find(bucket);
  if (by_class == shadows_.end()) return std::nullopt;
  const auto found = by_class->second.find(class_id);
  return found == by_class->second.end() ? std::nullopt : std::optional(found->second);
}

bool CrushMap::rebuild_shadows(std::string* error) {
  for (auto& bucket : buckets_) {
    if (!bucket || !is_shadow(bucket->id)) continue;
    for (auto& [key, args] : choose_args) args.erase(bucket->id);
    item_ids_.erase(item_names_[bucket->id]);
    item_names_.erase(bucket->id);
    bucket.reset();
  }
  const std::map<std::int32_t, std::map<std::int32_t, std::int32_t>> known = std::exchange(shadows_, {});
  std::set<std::int32_t> used;
  for (const auto& [original, by_class] : known) {
    for (const auto& [class_id, id] : by_class) used.insert(id);
  }
  std::map<std::int64_t, std::map<std::int32_t, std::vector<std::uint32_t>>> set_weights;
  for (const std::int32_t root : nonshadow_roots()) {
    for (const auto& [class_id, name] : classes_) {
      std::int32_t clone = 0;
      if (!clone_for_class(root, class_id, known, used, set_weights, clone, error)) return false;
    }
  }
  ++version_;
  return true;
}

bool CrushMap::clone_for_class(std::int32_t original_id, std::int32_t class_id,
                               const std::map<std::int32_t, std::map<std::int32_t, std::int32_t>>& known, const std::set<std::int32_t>& used,
                               std::map<std::int64_t, std::map<std::int32_t, std::vector<std::uint32_t>>>& set_weights, std::int32_t& clone,
                               std::string* error) {
  std::string name = item_name(original_id) + "~" + classes_.at(class_id);
  if (const std::optional<std::int32_t> there = item_id(name)) {
    clone = *there;
    return true;
  }
  Bucket copy;
  {
    const Bucket& original = *bucket(original_id);
    copy.type = original.type;
    copy.alg = original.alg;
    copy.hash = original.hash;
  }
  std::vector<std::size_t> original_position;
  for (std::size_t i = 0; i < bucket(original_id)->items.size(); ++i) {  // looked up anew: clones of children move the buckets
    std::int32_t item = bucket(original_id)->items[i];
    std::uint32_t weight = bucket(original_id)->weights[i];
    if (item >= 0) {
      const auto device = device_class_.find(item);
      if (device == device_class_.end() || device->second != class_id) continue;
    } else {
      std::int32_t child = 0;
      if (!clone_for_class(item, class_id, known, used, set_weights, child, error)) return false;
      item = child;
      weight = bucket(child)->weight;
    }
    if (copy.alg == BucketAlg::kUniform && !copy.weights.empty() && copy.weights[0] != weight) {
      if (error != nullptr) {
        *error = fmt::format("uniform bucket '{}' has items whose weights in class {} differ: no shadow tree can be made", item_name(original_id),
                             classes_.at(class_id));
      }
      return false;
    }
    copy.items.push_back(item);
    copy.weights.push_back(weight);
    original_position.push_back(i);
  }
  const auto by_class = known.find(original_id);
  if (by_class != known.end() && by_class->second.contains(class_id)) {
    copy.id = by_class->second.at(class_id);
  } else {
    copy.id = -1;
    while (bucket(copy.id) != nullptr || used.contains(copy.id)) --copy.id;
  }
  clone = copy.id;
  if (bucket(clone) != nullptr) {
    if (error != nullptr) *error = fmt::format("id {} of the shadow bucket '{}' is taken by '{}'", clone, name, item_name(clone));
    return false;
  }
  // A shadow's weight set is cut out of its original's; weights of child buckets are the sums of theirs.
  for (auto& [key, args] : choose_args) {
    const auto found = args.find(original_id);
    if (found == args.end() || found->second.weight_set.empty()) continue;
    const std::vector<std::vector<std::uint32_t>>& from = found->second.weight_set;
    ChooseArg arg;
    std::vector<std::uint32_t> sums(from.size());
    for (std::size_t position = 0; position < from.size(); ++position) {
      std::vector<std::uint32_t> weights;
      for (std::size_t i = 0; i < copy.items.size(); ++i) {
        std::uint32_t weight = 0;
        if (copy.items[i] >= 0) {
          weight = from[position][original_position[i]];
        } else {
          const auto below = set_weights[key].find(copy.items[i]);
          if (below != set_weights[key].end() && position < below->second.size()) weight = below->second[position];
        }
        weights.push_back(weight);
        sums[position] += weight;
      }
      arg.weight_set.push_back(std::move(weights));
    }
    set_weights[key][clone] = std::move(sums);
    args[clone] = std::move(arg);
  }
  shadows_[original_id][class_id] = clone;
  device_class_[clone] = class_id;
  return put_bucket(std::move(copy), std::move(name));
}

const Rule* CrushMap::rule(int id) const {
  if (id < 0 || id >= max_rules() || !rules_[static_cast<std::size_t>(id)]) return nullptr;
  return &*rules_[static_cast<std::size_t>(id)];
}

std::optional<int> CrushMap::rule_id(std::string_view name) const {
  for (int id = 0; id < max_rules(); ++id) {
    if (rule(id) != nullptr && rule(id)->name == name) return id;
  }
  return std::nullopt;
}

std::optional<int> CrushMap::add_rule(Rule rule_to_add, int id) {
  if (id < 0) {
    id = 0;
    while (rule(id) != nullptr) ++id;
  }
  if (id > kRuleIdMax || rule(id) != nullptr) return std::nullopt;
  if (id >= max_rules()) rules_.resize(static_cast<std::size_t>(id) + 1);
  rules_[static_cast<std::size_t>(id)] = std::move(rule_to_add);
  ++version_;
  return id;
}

std::optional<int> CrushMap::add_replicated_rule(std::string name, std::string_view root, std::string_view failure_domain,
                                                 std::string_view device_class, std::string* error) {
  return add_simple_rule(std::move(name), root, failure_domain, device_class, PoolType::kReplicated, error);
}

std::optional<int> CrushMap::add_erasure_rule(std::string name, std::string_view root, std::string_view failure_domain, std::string_view device_class,
                                              std::string* error) {
  return add_simple_rule(std::move(name), root, failure_domain, device_class, PoolType::kErasure, error);
}

std::optional<int> CrushMap::add_simple_rule(std::string name, std::string_view root, std::string_view failure_domain, std::string_view device_class,
                                             PoolType type, std::string* error) {
  const auto fail = [error](std::string message) {
    if (error != nullptr) *error = std::move(message);
    return std::nullopt;
  };
  if (rule_id(name)) return fail(fmt::format("rule {} exists", name));
  const std::optional<std::int32_t> root_id = item_id(root);
  if (!root_id) return fail(fmt::format("root item {} does not exist", root));
  const std::optional<std::uint16_t> domain = failure_domain.empty() ? std::optional<std::uint16_t>(0) : type_id(failure_domain);
  if (!domain) return fail(fmt::format("unknown type {}", failure_domain));
  std::int32_t take = *root_id;
  if (!device_class.empty()) {
    const std::optional<std::int32_t> class_number = find_class(device_class);
    if (!class_number) return fail(fmt::format("device class {} does not exist", device_class));
    const std::optional<std::int32_t> shadow_root = shadow(take, *class_number);
    if (!shadow_root) return fail(fmt::format("root {} has no devices with class {}", root, device_class));
    take = *shadow_root;
  }
  const bool erasure = type == PoolType::kErasure;
  Rule made;
  made.name = std::move(name);
  made.type = type;
  made.min_size = erasure ? 3 : 1;
  made.max_size = erasure ? 20 : 10;
  constexpr std::int32_t kLeafTries = 5;
  constexpr std::int32_t kTries = 100;
  if (erasure) made.steps = {{RuleOp::kSetChooseleafTries, kLeafTries, 0}, {RuleOp::kSetChooseTries, kTries, 0}};
  made.steps.push_back({RuleOp::kTake, take, 0});
  const RuleOp leaf = erasure ? RuleOp::kChooseleafIndep : RuleOp::kChooseleafFirstn;
  const RuleOp device = erasure ? RuleOp::kChooseIndep : RuleOp::kChooseFirstn;
  made.steps.push_back({*domain == 0 ? device : leaf, 0, *domain});
  made.steps.push_back({RuleOp::kEmit, 0, 0});
  const std::optional<int> id = add_rule(std::move(made));
  return id ? id : fail("all 256 rule ids are taken");
}

void CrushMap::trim_choose_args() {
  for (auto& [key, args] : choose_args) {
    std::erase_if(args, [this](const auto& entry) {
      const Bucket* of = bucket(entry.first);
      return of == nullptr || of->alg != BucketAlg::kStraw2 || (entry.second.weight_set.empty() && entry.second.ids.empty());
    });
  }
  ++version_;
}

}  // namespace sim::ceph::crush
