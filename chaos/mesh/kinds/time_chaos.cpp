/// TimeChaos: the clock of a process is wrong.
///
/// Source:     api/v1alpha1/timechaos_types.go; kube-controller-manager's CronJob controller reads the wall clock (pkg/controller/cronjob). Leases of client-go
///             compare spans of Go's monotonic clock: CLOCK_REALTIME alone does not move them.
/// Leaves out: every process but kube-controller-manager; clocks other than CLOCK_REALTIME; what the API server thinks of certificates.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/target.hpp"

namespace chaos::mesh {
namespace {

constexpr std::string_view kClocks[] = {"CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID", "CLOCK_MONOTONIC_RAW", "CLOCK_REALTIME_COARSE", "CLOCK_MONOTONIC_COARSE", "CLOCK_BOOTTIME", "CLOCK_REALTIME_ALARM", "CLOCK_BOOTTIME_ALARM"};

struct TimeChaos final : ChaosSpec, ContainerSelection {
  GoDuration offset;

  std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const override { return container_targets(*this, cluster, ns, random, why); }
  void check(CheckContext& context) const override {
    check_selection(*this, context);
    const auto label = selector.labels.find("component");
    const std::vector<std::string> spaces = selector.namespaces.empty() ? std::vector<std::string>{context.ns} : selector.namespaces;
    const bool names_it = std::any_of(selector.pods.begin(), selector.pods.end(), [](const auto& one) { return one.first == "kube-system"; });
    const bool may_be_it = names_it || (std::find(spaces.begin(), spaces.end(), "kube-system") != spaces.end() && (label == selector.labels.end() || label->second == "kube-controller-manager"));
    if (!may_be_it || context.world.control_plane.member_count() == 0) {
      context.problem(place, fmt::format("{}timechaos of processes other than kube-controller-manager (namespaces: [kube-system], labelSelectors: {{component: kube-controller-manager}}): no other reads the wall clock here", kNotModelled));
    }
  }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

void describe(Fields<TimeChaos>& fields) {
  fields.title("The clock of a process is wrong.")
      .add("timeOffset", &TimeChaos::offset, "By how much: -10m is ten minutes too early. CronJobs start by it.").required()
      .custom("clockIds", TypeInfo{.kind = TypeInfo::Kind::kList, .element = std::make_shared<TypeInfo>(TypeInfo{.kind = TypeInfo::Kind::kString})}, "Which clocks: CLOCK_REALTIME (the default). Others are refused.",
              [](Node node, TimeChaos&, Reader& reader) {
                std::vector<std::string> clocks;
                if (!sim::scenario::Codec<std::vector<std::string>>::read(node, clocks, reader, "clockIds")) return false;
                bool good = true;
                const std::vector<std::string> known(std::begin(kClocks), std::end(kClocks));
                for (std::size_t i = 0; i < clocks.size(); ++i) {
                  if (clocks[i] == "CLOCK_REALTIME") continue;
                  good = false;
                  if (std::find(known.begin(), known.end(), clocks[i]) != known.end()) {
                    reader.diagnostics.error(node.item(i), fmt::format("{}the clock {}", kNotModelled, clocks[i])).expected = "CLOCK_REALTIME";
                    continue;
                  }
                  sim::scenario::Diagnostic& d = reader.diagnostics.error(node.item(i), fmt::format("'{}' is no clock", clocks[i]));
                  d.expected = fmt::format("one of: {}", fmt::join(known, ", "));
                  d.hint = sim::scenario::did_you_mean(clocks[i], known);
                }
                return good;
              });
  describe_containers(fields);
  describe_common(fields);
}

/// The clock counts while the process that has it leads.
class TimeEffect final : public Effect {
 public:
  TimeEffect(Cluster& cluster, const TimeChaos& spec) : Effect(cluster), spec_(spec) {}

  std::string apply(const Target& target, const std::vector<Target>&) override {
    sim::World& w = world();
    if (std::string why = not_running(w, target); !why.empty()) return why;
    const std::string host_name = w.names.text(w.api.get(target.pod)->node_name);
    const std::optional<std::size_t> member = member_on(w.control_plane, w.kubelets.host_of(w.api.get(target.pod)->node));
    if (!member || target.id != fmt::format("kube-system/kube-controller-manager-{}/kube-controller-manager", host_name)) return fmt::format("{}the clock of {}", kNotModelled, target.id);
    const sim::ScopedCause because(w.engine, w.api.record(target.pod, "ClockSkewed", fmt::format("its clock is {} by {}", spec_.offset.value < SimDuration::zero() ? "late" : "early",
                                                                                                   sim::format_duration(spec_.offset.value < SimDuration::zero() ? -spec_.offset.value : spec_.offset.value))));
    members_[target.id] = *member;
    cluster_.skew_clock(*member, spec_.offset.value);
    return {};
  }
  void recover(const Target& target) override {
    const auto found = members_.find(target.id);
    if (found == members_.end()) return;
    cluster_.skew_clock(found->second, -spec_.offset.value);
    members_.erase(found);
  }

 private:
  const TimeChaos& spec_;
  std::map<std::string, std::size_t> members_;
};

std::unique_ptr<Effect> TimeChaos::make(Cluster& cluster) const { return std::make_unique<TimeEffect>(cluster, *this); }

}  // namespace

Kind time_chaos() { return make_kind<TimeChaos>("TimeChaos", "timeChaos", "The clock of a process is wrong: of kube-controller-manager, which starts CronJobs by it. Other processes are refused by name."); }

}  // namespace chaos::mesh
