#include "operator/plugin/commands.h"
namespace scalableapp::plugin { Runnable tune_command() { return {.command={.name="tune",.summary="x"}}; } }
