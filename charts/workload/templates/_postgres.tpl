{{- /*
workload.postgres: a StatefulSet of PostgreSQL servers and the Service before them. Takes root, name, primary (the host
they copy; empty: they are one), replicas and conf (whose change restarts them).
*/ -}}
{{- define "workload.postgres" }}
{{- $values := .root.Values.postgres }}
{{- $labels := printf "{app.kubernetes.io/name: %s, app.kubernetes.io/instance: %s}" .name .root.Release.Name }}
{{- $image := printf "%s:%s" $values.image.repository $values.image.tag }}
{{- $on_host := and $values.persistence.enabled $values.persistence.hostPath }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  labels: {{ $labels }}
spec:
  selector: {{ $labels }}
  ports: [{name: postgres, port: 5432, targetPort: postgres}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .name }}
  labels: {{ $labels }}
spec:
  replicas: {{ .replicas }}
  serviceName: {{ .name }}
  podManagementPolicy: Parallel
  selector:
    matchLabels: {{ $labels }}
  template:
    metadata:
      labels: {{ $labels }}
      annotations:
        checksum/config: {{ sha256sum .conf }}
    spec:
      # A fast shutdown, checkpoint included.
      terminationGracePeriodSeconds: 30
      # The user "postgres" of the image.
      securityContext: {runAsUser: 999, runAsGroup: 999, fsGroup: 999}
      {{- if $on_host }}
      initContainers:
      # A directory that the node has just made is root's.
      - name: own
        image: {{ $image }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        command: [chown, "999:999", /data]
        securityContext:
          runAsUser: 0
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL], add: [CHOWN]}
        volumeMounts: [{name: data, mountPath: /data, subPathExpr: $(POD)}]
        env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
      {{- end }}
      containers:
      - name: postgres
        image: {{ $image }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        command: [/bin/sh, /etc/postgres/start.sh{{ with .primary }}, {{ . }}{{ end }}]
        ports: [{name: postgres, containerPort: 5432}]
        env:
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        {{- if not .primary }}
        - {name: APP_PASSWORD, valueFrom: {secretKeyRef: {name: postgres, key: password}}}
        {{- end }}
        - {name: REPLICATION_PASSWORD, valueFrom: {secretKeyRef: {name: postgres, key: replication-password}}}
        # True once it answers queries: a replica not before it is consistent.
        readinessProbe:
          exec: {command: [/usr/lib/postgresql/15/bin/pg_isready, --quiet, --host=/tmp, --timeout=2]}
          periodSeconds: 2
          timeoutSeconds: 3
        resources: {{- toYaml $values.resources | nindent 10 }}
        securityContext:
          runAsNonRoot: true
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
        volumeMounts:
        - {name: config, mountPath: /etc/postgres}
        - {name: data, mountPath: /data{{ if $on_host }}, subPathExpr: $(POD){{ end }}}
        - {name: tmp, mountPath: /tmp}
      volumes:
      - {name: config, configMap: {name: postgres}}
      - {name: tmp, emptyDir: {}}
      {{- if $on_host }}
      - {name: data, hostPath: {path: {{ printf "%s/%s" $values.persistence.hostPath .root.Release.Namespace }}, type: DirectoryOrCreate}}
      {{- else if not $values.persistence.enabled }}
      - {name: data, emptyDir: {}}
      {{- end }}
  {{- if and $values.persistence.enabled (not $on_host) }}
  volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      {{- with $values.persistence.storageClassName }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ $values.persistence.size }}}}
  {{- end }}
{{- end }}
