/// metrics.h5: lanes, outages and availability as HDF5 tables, for h5py, pandas, Julia, MATLAB.
#pragma once

#include <string>

#include "chaos/verdict.hpp"

namespace analysis {

/// Writes the file whole or not at all. Groups: /lanes (subject, group, state, severity, start, end), /outages (kind, severity, subject, start, end,
/// fault), /availability (subject, availability, outages, down, longest, degraded); one row a line, times in seconds; attributes of
/// the root: seed, ended. Empty on success, else why not.
std::string write_metrics_hdf5(const chaos::Verdict& verdict, const std::string& path);

}  // namespace analysis
