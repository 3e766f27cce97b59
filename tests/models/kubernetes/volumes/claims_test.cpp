// Which volume a claim gets, and what a claim is made of: tables, no time.
#include "sim/models/kubernetes/volumes/claims.hpp"

#include <gtest/gtest.h>

#include "tests/models/kubernetes/volumes/volume_world.hpp"

namespace sim::k8s {
namespace {

using test::kGi;
using test::VolumeWorld;

struct VolumeSpec {
  std::string_view name;
  std::int64_t gigabytes;
  std::uint8_t modes = AccessModes::kReadWriteOnce;
  std::string_view storage_class = "manual";
  std::string_view reserved_for = "";
  std::string_view node = "";
  VolumePhase phase = VolumePhase::kAvailable;
};
struct MatchCase {
  std::string_view name;
  std::vector<VolumeSpec> volumes;
  std::string_view node;  // of the search; empty: anywhere
  bool only_reserved;
  std::string_view want;
};

TEST(FindVolume, SmallestThatFits) {
  constexpr std::uint8_t kRwo = AccessModes::kReadWriteOnce;
  constexpr std::uint8_t kBoth = AccessModes::kReadWriteOnce | AccessModes::kReadWriteMany;
  const MatchCase cases[] = {
      {"none", {}, "", false, ""},
      {"too small", {{"a", 9}}, "", false, ""},
      {"exactly as large", {{"a", 10}}, "", false, "a"},
      {"the smallest that is large enough", {{"a", 30}, {"b", 12}, {"c", 20}}, "", false, "b"},
      {"of two of one size, fewer access modes", {{"a", 10, kBoth}, {"b", 10}}, "", false, "b"},
      {"else by name", {{"b", 10}, {"a", 10}}, "", false, "a"},
      {"access modes may be more", {{"a", 10, kBoth}}, "", false, "a"},
      {"but not others", {{"a", 10, AccessModes::kReadWriteMany}}, "", false, ""},
      {"another class", {{"a", 10, kRwo, "other"}}, "", false, ""},
      {"reserved for this claim wins", {{"a", 10}, {"b", 50, kRwo, "manual", "data"}}, "", false, "b"},
      {"reserved for another", {{"a", 10, kRwo, "manual", "else"}}, "", false, ""},
      {"released", {{"a", 10, kRwo, "manual", "", "", VolumePhase::kReleased}}, "", false, ""},
      {"usable from the node", {{"a", 10, kRwo, "manual", "", "w1"}, {"b", 20, kRwo, "manual", "", "w2"}}, "w2", false, "b"},
      {"node does not matter without one", {{"a", 10, kRwo, "manual", "", "w1"}}, "", false, "a"},
      {"only reserved ones", {{"a", 10}}, "", true, ""},
      {"only reserved ones: there", {{"a", 10}, {"b", 50, kRwo, "manual", "data"}}, "", true, "b"},
  };
  for (const MatchCase& c : cases) {
    SCOPED_TRACE(c.name);
    VolumeWorld w(0);
    ApiServer& api = w.world.api;
    const Ref<PersistentVolumeClaim> ref = w.create_claim(w.claim("data", "manual"));
    for (const VolumeSpec& v : c.volumes) {
      PersistentVolume volume = w.volume(v.name, v.storage_class, v.gigabytes);
      volume.access_modes.bits = v.modes;
      volume.phase = v.phase;
      if (!v.reserved_for.empty()) {
        volume.claim_ns = w.sym("default");
        volume.claim_name = w.sym(v.reserved_for);
      }
      if (!v.node.empty()) {
        volume.has_node_affinity = true;
        volume.node_affinity.push_back({{Requirement{api.well_known().hostname, SelectorOperator::kIn, {w.sym(v.node)}}}, {}});
      }
      api.create(std::move(volume));
    }
    Labels labels;
    labels.set(api.well_known().hostname, w.sym(c.node));
    VolumeSearch search;
    search.only_reserved = c.only_reserved;
    if (!c.node.empty()) {
      search.node_labels = &labels;
      search.node = w.sym(c.node);
    }
    const PersistentVolume* found = api.get(find_volume(api, *api.get(ref), search));
    EXPECT_EQ(found == nullptr ? "" : w.text(found->meta.name), c.want);
  }
}

TEST(MakeClaim, TheNewestDefaultClassIsGivenToClaimsThatNameNone) {
  VolumeWorld w(0);
  ClaimTemplate from = w.claim("data", "x");
  from.spec.storage_class.reset();
  EXPECT_FALSE(make_claim(w.world.api, w.sym("default"), w.sym("a"), from).spec.storage_class.has_value());
  for (const char* name : {"old", "b-new", "a-new"}) {
    StorageClass made = w.storage_class(name, "p");
    made.is_default = true;
    w.world.api.create(std::move(made));
    if (std::string_view(name) == "old") w.run_to(std::chrono::seconds(1));
  }
  EXPECT_EQ(make_claim(w.world.api, w.sym("default"), w.sym("a"), from).spec.storage_class, w.sym("a-new"));
  from.spec.storage_class = Symbol{};  // storageClassName: "" asks for none
  EXPECT_EQ(make_claim(w.world.api, w.sym("default"), w.sym("a"), from).spec.storage_class, Symbol{});
}

TEST(AccessModesTest, ManyNodes) {
  EXPECT_TRUE(AccessModes{}.allows_many_nodes());
  EXPECT_FALSE(AccessModes{AccessModes::kReadWriteOnce}.allows_many_nodes());
  EXPECT_FALSE(AccessModes{AccessModes::kReadWriteOncePod}.allows_many_nodes());
  EXPECT_TRUE(AccessModes{AccessModes::kReadOnlyMany}.allows_many_nodes());
  EXPECT_TRUE((AccessModes{AccessModes::kReadWriteOnce | AccessModes::kReadWriteMany}.allows_many_nodes()));
}

}  // namespace
}  // namespace sim::k8s
