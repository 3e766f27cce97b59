#include "analysis/metrics_hdf5.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <vector>

#include "analysis/atomic_file.hpp"

namespace analysis {

namespace {

/// Closes an HDF5 handle; remembers whether anything failed.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t id() const { return id_; }
  bool is_open() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

class Group {
 public:
  Group(hid_t file, const char* name, bool& ok) : group_(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose), ok_(ok) {
    ok_ = ok_ && group_.is_open();
  }
  void column(const char* name, const std::vector<double>& values) { write(name, H5T_NATIVE_DOUBLE, values.data(), values.size()); }
  void column(const char* name, const std::vector<std::uint64_t>& values) { write(name, H5T_NATIVE_UINT64, values.data(), values.size()); }
  void column(const char* name, const std::vector<std::string>& values) {
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.id(), H5T_VARIABLE);
    H5Tset_cset(type.id(), H5T_CSET_UTF8);
    std::vector<const char*> pointers;
    pointers.reserve(values.size());
    for (const std::string& value : values) pointers.push_back(value.c_str());
    write(name, type.id(), pointers.data(), pointers.size());
  }

 private:
  void write(const char* name, hid_t type, const void* data, std::size_t rows) {
    if (!ok_) return;
    const hsize_t size = rows;
    const Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation.id(), false);  // equal runs, equal bytes
    const Handle set(H5Dcreate2(group_.id(), name, type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), H5Dclose);
    ok_ = set.is_open() && (rows == 0 || H5Dwrite(set.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  }
  Handle group_;
  bool& ok_;
};

void attribute(hid_t file, const char* name, hid_t type, const void* value, bool& ok) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle place(H5Acreate2(file, name, type, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  ok = ok && place.is_open() && H5Awrite(place.id(), type, value) >= 0;
}

void write_lanes(Group group, const chaos::Verdict& verdict) {
  std::vector<std::string> subject, name, state, severity;
  std::vector<double> start, end;
  for (const chaos::Lane& lane : verdict.lanes) {
    for (const chaos::Lane::Interval& interval : lane.intervals) {
      subject.push_back(lane.subject);
      name.push_back(lane.group);
      state.push_back(interval.state);
      severity.emplace_back(chaos::to_string(interval.severity));
      start.push_back(sim::seconds(interval.start));
      end.push_back(sim::seconds(interval.end));
    }
  }
  group.column("subject", subject);
  group.column("group", name);
  group.column("state", state);
  group.column("severity", severity);
  group.column("start", start);
  group.column("end", end);
}

void write_outages(Group group, const chaos::Verdict& verdict) {
  std::vector<std::string> subject, kind, severity, fault;
  std::vector<double> start, end;
  for (const chaos::Outage& outage : verdict.outages) {
    subject.push_back(outage.subject);
    kind.emplace_back(chaos::to_string(outage.kind));
    severity.emplace_back(chaos::to_string(outage.severity));
    fault.push_back(outage.why.fault);
    start.push_back(sim::seconds(outage.start));
    end.push_back(sim::seconds(outage.end));
  }
  group.column("subject", subject);
  group.column("kind", kind);
  group.column("severity", severity);
  group.column("fault", fault);
  group.column("start", start);
  group.column("end", end);
}

void write_availability(Group group, const chaos::Verdict& verdict) {
  std::vector<std::string> subject;
  std::vector<double> availability, down, longest, degraded;
  std::vector<std::uint64_t> outages;
  const auto add = [&](const chaos::AvailabilityStats& stats) {
    subject.push_back(stats.subject);
    availability.push_back(stats.availability);
    outages.push_back(stats.outages);
    down.push_back(sim::seconds(stats.down));
    longest.push_back(sim::seconds(stats.longest));
    degraded.push_back(sim::seconds(stats.degraded));
  };
  for (const chaos::AvailabilityStats& stats : verdict.components) add(stats);
  for (const chaos::AvailabilityStats& stats : verdict.services) add(stats);
  group.column("subject", subject);
  group.column("availability", availability);
  group.column("outages", outages);
  group.column("down", down);
  group.column("longest", longest);
  group.column("degraded", degraded);
}

}  // namespace

std::string write_metrics_hdf5(const chaos::Verdict& verdict, const std::string& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors are told by us, once
  // In memory first: the file is then written like all others, whole or not at all, and a full disk is named as one.
  std::string image;
  bool ok = true;
  {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    constexpr std::size_t kGrowth = 1u << 20;
    ok = H5Pset_fapl_core(access.id(), kGrowth, 0) >= 0;
    const Handle file(H5Fcreate("metrics.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose);
    if (!file.is_open()) return fmt::format("{}: HDF5 cannot make it", path);
    const double ended = sim::seconds(verdict.ended);
    attribute(file.id(), "seed", H5T_NATIVE_UINT64, &verdict.seed, ok);
    attribute(file.id(), "ended", H5T_NATIVE_DOUBLE, &ended, ok);
    write_lanes(Group(file.id(), "lanes", ok), verdict);
    write_outages(Group(file.id(), "outages", ok), verdict);
    write_availability(Group(file.id(), "availability", ok), verdict);
    ok = ok && H5Fflush(file.id(), H5F_SCOPE_GLOBAL) >= 0;
    const ssize_t size = ok ? H5Fget_file_image(file.id(), nullptr, 0) : -1;
    ok = size >= 0;
    if (ok) {
      image.resize(static_cast<std::size_t>(size));
      ok = H5Fget_file_image(file.id(), image.data(), image.size()) == size;
    }
  }
  return ok ? write_whole_file(path, image) : fmt::format("{}: HDF5 cannot make it", path);
}

}  // namespace analysis
