// What a pod's sandbox container runs: nothing, for as long as the pod lives. As process 1 of a shared process
// namespace it also reaps what others leave behind.
// For: the sandbox image of a node image built here. Not for: anything else.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGCHLD);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  for (;;) {
    int received = 0;
    if (sigwait(&awaited, &received) != 0) return 1;
    if (received != SIGCHLD) return 0;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
