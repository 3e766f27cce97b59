// The fields of the section `monitoring:`.
#include <fmt/format.h>

#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

namespace {

template <class T>
void describe_place(Fields<T>& fields) {
  fields.add("statefulSet", &T::stateful_set, "namespace/name of the StatefulSet whose pods it is: it works where they serve, with the volumes that they have.")
      .add("outside", &T::outside, "It runs somewhere else, and sees the cluster over the network.")
      .rule([](const T& to, Node node, Reader& reader) {
        if (to.outside == to.stateful_set.text.empty()) return;
        Diagnostic& d = reader.diagnostics.error(node, to.outside ? "it is in a StatefulSet of the cluster, or outside, not both" : "nobody says where it runs");
        d.expected = "statefulSet: namespace/name, or outside: true";
      });
}

template <class T>
void describe_tells(Fields<T>& fields) {
  fields.choice("tells", &T::tells, {{"alert", monitoring::Tells::kAlert}, {"notice", monitoring::Tells::kNotice}, {"nobody", monitoring::Tells::kNobody}},
                "alert: a person, at once. notice: a queue that is read in working hours. nobody: it goes nowhere.")
      .add("delivery", &T::delivery, "From the sending to the person.");
}

template <class T>
void positive(const T&, SimDuration value, std::string_view key, Node node, Reader& reader) {
  if (value <= SimDuration::zero()) reader.diagnostics.error(node.find(key), fmt::format("'{}' must be longer than 0s", key));
}

}  // namespace

void describe(Fields<PrometheusSpec>& fields) {
  fields.title("A Prometheus. Each pod of its StatefulSet is a replica that scrapes and evaluates for itself.");
  describe_place(fields);
  fields.add("alertmanager", &PrometheusSpec::alertmanager, "Where its alerts go.")
      .default_text("the only one")
      .add("scrapeInterval", &PrometheusSpec::scrape_interval, "Between two scrapes of a target.")
      .add("evaluationInterval", &PrometheusSpec::evaluation_interval, "Between two evaluations of a group of rules that names no interval of its own.")
      .rule([](const PrometheusSpec& to, Node node, Reader& reader) {
        positive(to, to.scrape_interval, "scrapeInterval", node, reader);
        positive(to, to.evaluation_interval, "evaluationInterval", node, reader);
      });
}

void describe(Fields<ReceiverSpec>& fields) {
  fields.title("Who is told. The first receiver whose matchers all match gets the alert.")
      .add("matchers", &ReceiverSpec::matchers, "As in Alertmanager: severity=critical, namespace=~\"shop|pay\", team!=a.")
      .default_text("everything");
  describe_tells(fields);
  fields.add("via", &ReceiverSpec::via, "namespace/name of a Service in the cluster that carries the message: while it does not serve, nothing arrives.")
      .default_text("straight to the outside");
}

void describe(Fields<AlertmanagerSpec>& fields) {
  fields.title("An Alertmanager, with all of its instances: it works while one of them does.");
  describe_place(fields);
  fields.add("groupBy", &AlertmanagerSpec::group_by, "Labels; alerts that agree in them are told together.")
      .add("groupWait", &AlertmanagerSpec::group_wait, "From the first alert of a group to its first message.")
      .add("groupInterval", &AlertmanagerSpec::group_interval, "Until the next message about a group that has changed.")
      .add("repeatInterval", &AlertmanagerSpec::repeat_interval, "Until a message about a group that has not.")
      .add("inhibit", &AlertmanagerSpec::inhibit,
           "As kube-prometheus does: critical silences warning and info, warning silences info, of the same namespace and alertname.")
      .named("receivers", &AlertmanagerSpec::receivers, "receiver", "Who is told, by name, in this order. Without any: critical is an alert, warning a notice.")
      .rule([](const AlertmanagerSpec& to, Node node, Reader& reader) { positive(to, to.group_interval, "groupInterval", node, reader); });
}

void describe(Fields<DeadMansSwitchSpec>& fields) {
  fields.title("A service outside that pages when it no longer hears of an alert that always fires.")
      .add("alert", &DeadMansSwitchSpec::alert, "The alert that feeds it.")
      .add("alertmanager", &DeadMansSwitchSpec::alertmanager, "Who feeds it.")
      .default_text("the only one")
      .add("interval", &DeadMansSwitchSpec::interval, "Between two messages.")
      .add("window", &DeadMansSwitchSpec::window, "Without a message for so long it pages.")
      .add("delivery", &DeadMansSwitchSpec::delivery, "From the page to the person.")
      .rule([](const DeadMansSwitchSpec& to, Node node, Reader& reader) {
        positive(to, to.interval, "interval", node, reader);
        if (to.window <= to.interval) reader.diagnostics.error(node.find("window"), "a window that is not longer than the interval would page all the time");
      });
}

void describe(Fields<ProbeSpec>& fields) {
  fields.title("A probe from outside: it asks a Service as its users do, whatever the cluster thinks of itself.")
      .add("service", &ProbeSpec::service, "namespace/name.")
      .required()
      .add("interval", &ProbeSpec::interval, "Between two probes.")
      .add("timeout", &ProbeSpec::timeout, "A probe that gets no answer for so long has failed.")
      .add("failures", &ProbeSpec::failures, 1, 1000, "So many in a row, and it tells.");
  describe_tells(fields);
  fields.rule([](const ProbeSpec& to, Node node, Reader& reader) { positive(to, to.interval, "interval", node, reader); });
}

void describe(Fields<MonitoringSpec>& fields) {
  fields.title("Who looks at the cluster, from where, and who is told.")
      .add("rules", &MonitoringSpec::rules,
           "Rules: built-in ones by name (ceph, etcd, general, kubernetes, nodes), and files: PrometheusRule resources or rule files of Prometheus; folders and "
           "patterns too.")
      .named("prometheus", &MonitoringSpec::prometheus, "Prometheus", "By name.")
      .named("alertmanagers", &MonitoringSpec::alertmanagers, "Alertmanager", "By name.")
      .named("deadMansSwitches", &MonitoringSpec::dead_mans_switches, "dead man's switch", "By name.")
      .named("probes", &MonitoringSpec::probes, "probe", "By name.")
      .add("kubeStateMetrics", &MonitoringSpec::kube_state_metrics, "namespace/name of the Service of kube-state-metrics.")
      .default_text("it is always there")
      .add("cephJob", &MonitoringSpec::ceph_job, "The job label of Ceph's manager; Rook's is rook-ceph-mgr.");
}

}  // namespace sim::scenario
