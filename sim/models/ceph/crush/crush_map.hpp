/// A CRUSH map: devices, buckets, rules, tunables, device classes with their shadow trees, weight sets.
///
/// Read it from text (text_map.hpp) or build it (add_bucket, insert_item, add_simple_rule); place data with a Mapper (mapper.hpp).
/// Weights are 16.16 fixed point: 0x10000 is 1.0, by convention one TiB. Devices have ids from 0, buckets below 0.
///
/// Source:     Ceph v16.2.15 src/crush/{crush.h,builder.c,CrushWrapper.cc}; reference platform 3.3 to 3.7.
/// Leaves out: the binary form of a map; MSR rules (Ceph 19); the legacy hash numbers are kept but only rjenkins1 (0) hashes, as in Ceph.
/// Checked by: tests/models/ceph/crush/mapper_test.cpp, golden_test.cpp; tests/crush/differential.py against crushtool.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sim::ceph::crush {

inline constexpr std::uint32_t kWeightOne = 0x10000;
/// A position that indep could not fill.
inline constexpr std::int32_t kItemNone = 0x7fffffff;
inline constexpr std::uint32_t kDeviceWeightMax = 100u * kWeightOne;
inline constexpr std::uint32_t kBucketWeightMax = 65535u * kWeightOne;
inline constexpr int kRuleIdMax = 255;
/// Weight set of all pools that have none of their own (the balancer's crush-compat mode).
inline constexpr std::int64_t kDefaultChooseArgs = -1;

/// Numbers as in Ceph's maps.
enum class BucketAlg : std::uint8_t { kUniform = 1, kList = 2, kTree = 3, kStraw = 4, kStraw2 = 5 };
const char* to_string(BucketAlg alg);
std::optional<BucketAlg> parse_bucket_alg(std::string_view text);

struct Bucket {
  std::int32_t id = 0;
  std::uint16_t type = 0;
  BucketAlg alg = BucketAlg::kStraw2;
  std::uint8_t hash = 0;     // 0: rjenkins1. Any other number hashes everything to 0, as in Ceph
  std::uint32_t weight = 0;  // sum of `weights`
  std::vector<std::int32_t> items;
  std::vector<std::uint32_t> weights;  // this bucket's own copy of each item's weight
  /// What the algorithm keeps besides: sums up to each item (list), weights of the tree's nodes (tree), lengths of the straws (straw).
  std::vector<std::uint32_t> table;
};

/// Numbers as in Ceph's maps.
enum class RuleOp : std::uint32_t {
  kNoop = 0,
  kTake = 1,
  kChooseFirstn = 2,
  kChooseIndep = 3,
  kEmit = 4,
  kChooseleafFirstn = 6,
  kChooseleafIndep = 7,
  kSetChooseTries = 8,
  kSetChooseleafTries = 9,
  kSetChooseLocalTries = 10,
  kSetChooseLocalFallbackTries = 11,
  kSetChooseleafVaryR = 12,
  kSetChooseleafStable = 13,
};

struct RuleStep {
  RuleOp op = RuleOp::kNoop;
  std::int32_t arg1 = 0;  // the item taken, or how many to choose (<= 0: the pool's size plus this), or the value set
  std::int32_t arg2 = 0;  // the type chosen
};

enum class PoolType : std::uint8_t { kReplicated = 1, kErasure = 3 };

struct Rule {
  std::string name;  // may be empty
  PoolType type = PoolType::kReplicated;
  std::uint8_t min_size = 1;
  std::uint8_t max_size = 10;
  std::vector<RuleStep> steps;
};

enum class TunablesProfile : std::uint8_t { kLegacy, kBobtail, kFirefly, kHammer, kJewel };
/// "legacy", "argonaut", "bobtail", "firefly", "hammer", "jewel", "optimal", "default".
std::optional<TunablesProfile> parse_tunables_profile(std::string_view text);

struct Tunables {
  std::uint32_t choose_local_tries = 0;
  std::uint32_t choose_local_fallback_tries = 0;
  std::uint32_t choose_total_tries = 50;
  std::uint32_t chooseleaf_descend_once = 1;
  std::uint8_t chooseleaf_vary_r = 1;
  std::uint8_t chooseleaf_stable = 1;
  std::uint8_t straw_calc_version = 1;
  std::uint32_t allowed_bucket_algs = 54;

  static Tunables of(TunablesProfile profile);
  friend bool operator==(const Tunables&, const Tunables&) = default;
};

/// Weights and ids of one straw2 bucket that replace its own when a pool is placed.
struct ChooseArg {
  std::vector<std::vector<std::uint32_t>> weight_set;  // by position in the result; the last holds for all later ones
  std::vector<std::int32_t> ids;                       // hashed instead of the items' ids
};
/// By bucket id, from -1 downwards.
using ChooseArgs = std::map<std::int32_t, ChooseArg, std::greater<>>;

class CrushMap {
 public:
  /// Empty, with the tunables of `profile`. Types are not defined yet.
  explicit CrushMap(TunablesProfile profile = TunablesProfile::kJewel) : tunables(Tunables::of(profile)) {}
  /// With Ceph's types: osd 0, host 1, chassis 2, rack 3, row 4, pdu 5, pod 6, room 7, datacenter 8, zone 9, region 10, root 11.
  static CrushMap with_default_types(TunablesProfile profile = TunablesProfile::kJewel);

  Tunables tunables;

  // Types.
  void set_type(std::uint16_t id, std::string name);
  const std::map<std::uint16_t, std::string>& types() const { return types_; }
  std::optional<std::uint16_t> type_id(std::string_view name) const;
  /// Empty when it has no name.
  const std::string& type_name(std::uint16_t id) const;

  // Items: devices and buckets.
  void set_item_name(std::int32_t id, std::string name);
  /// Empty when it has none. A shadow bucket's name is that of its original, '~' and the class.
  const std::string& item_name(std::int32_t id) const;
  std::optional<std::int32_t> item_id(std::string_view name) const;
  const std::map<std::int32_t, std::string>& item_names() const { return item_names_; }
  /// Highest device id in any bucket, plus 1.
  std::int32_t max_devices() const { return max_devices_; }
  /// How many places for bucket ids are in use: ids are above -1 - max_buckets().
  std::int32_t max_buckets() const { return static_cast<std::int32_t>(buckets_.size()); }
  const Bucket* bucket(std::int32_t id) const;
  /// True when some bucket holds the item.
  bool is_in_tree(std::int32_t item) const;
  /// Buckets that hold the item, shadow trees included, from -1 downwards.
  std::vector<std::int32_t> parents(std::int32_t item) const;
  /// The parent outside of the shadow trees.
  std::optional<std::int32_t> parent(std::int32_t item) const;
  /// The nearest bucket of that type above the item; nothing when there is none.
  std::optional<std::int32_t> ancestor(std::int32_t item, std::uint16_t type) const;
  /// Buckets that no bucket holds, lowest id first.
  std::vector<std::int32_t> roots() const;
  std::vector<std::int32_t> nonshadow_roots() const;
  /// Devices below an item, in the order of the tree.
  std::vector<std::int32_t> devices_below(std::int32_t item) const;
  bool is_shadow(std::int32_t id) const { return item_name(id).find('~') != std::string::npos; }

  // Building. Each SIM_CHECKs what it needs; inputs of users are checked by text_map.hpp.
  /// The first free id when `id` is 0. The name must be new.
  std::int32_t add_bucket(std::string name, std::uint16_t type, BucketAlg alg = BucketAlg::kStraw2, std::int32_t id = 0);
  /// A bucket as it is, with its own copy of its items' weights; derives weight and table. False when the id is taken.
  bool put_bucket(Bucket bucket, std::string name);
  /// Appends an item to a bucket and adds its weight to all buckets above.
  void insert_item(std::int32_t item, std::uint32_t weight, std::int32_t bucket);
  /// Names device `id` "osd.ID" and puts it into the host.
  void insert_device(std::int32_t id, std::uint32_t weight, std::int32_t bucket, std::string_view device_class = {});
  /// Sets the weight of an item wherever it is, and the sums above (ceph osd crush reweight).
  void set_item_weight(std::int32_t item, std::uint32_t weight);
  /// Takes an item out of its buckets; with a bucket its contents stay below it.
  void remove_item(std::int32_t item);

  // Device classes.
  void set_device_class(std::int32_t device, std::string_view device_class);
  /// Empty: none.
  const std::string& device_class(std::int32_t device) const;
  std::int32_t class_id(std::string_view name);  // a new one when there is none yet
  std::optional<std::int32_t> find_class(std::string_view name) const;
  const std::map<std::int32_t, std::string>& classes() const { return classes_; }
  /// The shadow of a bucket for a class. Stale after changes until rebuild_shadows().
  std::optional<std::int32_t> shadow(std::int32_t bucket, std::int32_t class_id) const;
  /// Ids that shadows must get when they are built (`id -5 class hdd` in a text).
  void reserve_shadow_id(std::int32_t bucket, std::int32_t class_id, std::int32_t id) { shadows_[bucket][class_id] = id; }
  const std::map<std::int32_t, std::map<std::int32_t, std::int32_t>>& shadows() const { return shadows_; }
  /// Throws the shadow trees away and builds them anew: every root, every class, depth first; known ids are kept, others are the first free ones.
  /// False, with the reason in `error`, when an id is taken by another bucket or a uniform bucket would get items of different weight.
  bool rebuild_shadows(std::string* error = nullptr);

  // Rules.
  const Rule* rule(int id) const;
  int max_rules() const { return static_cast<int>(rules_.size()); }
  std::optional<int> rule_id(std::string_view name) const;
  /// The first free id when `id` is -1; nothing when it is taken or above 255.
  std::optional<int> add_rule(Rule rule, int id = -1);
  /// As `ceph osd crush rule create-replicated NAME ROOT FAILURE_DOMAIN [CLASS]`: take ROOT, chooseleaf firstn 0 type FAILURE_DOMAIN, emit.
  /// Call rebuild_shadows() first when a class is given. Nothing, with Ceph's message in `error`, when a name is unknown or taken.
  std::optional<int> add_replicated_rule(std::string name, std::string_view root, std::string_view failure_domain, std::string_view device_class = {},
                                         std::string* error = nullptr);
  /// As the rule of an erasure-coded pool: 5 tries for leaves, 100 in all, chooseleaf indep.
  std::optional<int> add_erasure_rule(std::string name, std::string_view root, std::string_view failure_domain, std::string_view device_class = {},
                                      std::string* error = nullptr);

  /// By pool id, or kDefaultChooseArgs.
  std::map<std::int64_t, ChooseArgs> choose_args;
  /// Drops what Ceph drops when it loads a map: entries of buckets that are not straw2 or do not exist.
  void trim_choose_args();

  /// Counts changes; a Mapper made before is out of date.
  std::uint64_t version() const { return version_; }

 private:
  Bucket* find(std::int32_t id);
  void add_to_bucket(Bucket& bucket, std::int32_t item, std::uint32_t weight);
  void derive(Bucket& bucket) const;
  void recount_devices();
  bool clone_for_class(std::int32_t original, std::int32_t class_id, const std::map<std::int32_t, std::map<std::int32_t, std::int32_t>>& known,
                       const std::set<std::int32_t>& used, std::map<std::int64_t, std::map<std::int32_t, std::vector<std::uint32_t>>>& set_weights,
                       std::int32_t& clone, std::string* error);
  std::optional<int> add_simple_rule(std::string name, std::string_view root, std::string_view failure_domain, std::string_view device_class, PoolType type,
                                     std::string* error);

  std::vector<std::optional<Bucket>> buckets_;  // by -1 - id
  std::vector<std::optional<Rule>> rules_;
  std::map<std::uint16_t, std::string> types_;
  std::map<std::int32_t, std::string> item_names_;
  std::map<std::string, std::int32_t, std::less<>> item_ids_;
  std::map<std::int32_t, std::string> classes_;
  std::map<std::int32_t, std::int32_t> device_class_;  // device -> class
  std::map<std::int32_t, std::map<std::int32_t, std::int32_t>> shadows_;  // bucket -> class -> shadow
  std::int32_t max_devices_ = 0;
  std::uint64_t version_ = 0;
};

/// float32(w) * 65536, truncated, as crushtool reads "1.819".
std::uint32_t weight_from_float(float weight);

}  // namespace sim::ceph::crush
