// What the load generator can be told, on its command line or by POST /start.
#pragma once

#include <string>

#include "operator/base/time.h"
#include "workload/common/flags.h"
#include "workload/load/generator.h"

namespace scalableapp::workload {

struct LoadOptions {
  std::string target = "http://127.0.0.1:8080";
  double rate = 40;
  milliseconds duration{60'000};
  std::string profile;  // Text or "FILE.csv"; empty: rate and duration.
  std::string mix = "/work=90,/=5,/jobs:POST=5";
  std::string arrivals = "constant";
  int seed = 1;
  std::string slo;   // A duration; empty: none.
  std::string plan;  // A file; what it leaves out is as in the others.
  double trace_scale = 1;
  double trace_speed = 1;

  milliseconds timeout{10'000};
  int max_connections = 2000;
  milliseconds connection_lifetime{2000};
  int users = 200;

  bool serve = false;
  std::string address = "0.0.0.0";
  int admin_port = 9100;
  std::string report = "-";
  std::string html;
  bool calibrate = false;
  bool quiet = false;
};

FlagSet load_flags(LoadOptions& options);

GeneratorOptions generator_options(const LoadOptions& options);

// The run of the flags: its plan's if there is one. kInvalid says which flag or field is wrong.
Result<RunSpec> run_spec(const LoadOptions& options);

// The run that the body of POST /start asks for, a plan (see plan.h); it may name no files.
Result<RunSpec> run_spec_from_body(const std::string& body, const LoadOptions& initial);

}  // namespace scalableapp::workload
