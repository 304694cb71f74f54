{{- /*
workload.nginx: an nginx of files/nginx.conf, as ConfigMap, Deployment and Service, with the exporter of its log beside
it. Takes root, name, values (of edge or globalEdge), servers, nextUpstream, cache, rateLimit, upstreams (as the
exporter's flag).
*/ -}}
{{- define "workload.nginx" }}
{{- $labels := printf "{app.kubernetes.io/name: %s, app.kubernetes.io/instance: %s}" .name .root.Release.Name }}
{{- $zone := "" }}
{{- $limit := "" }}
{{- if .rateLimit }}
{{- $zone = printf "limit_req_zone $binary_remote_addr zone=clients:4m rate=%vr/s;\n  limit_req_status 429;" .rateLimit }}
{{- $limit = printf "limit_req zone=clients burst=%v nodelay;" .rateLimit }}
{{- end }}
{{- $conf := tpl (.root.Files.Get "files/nginx.conf") (dict "Template" .root.Template "directory" "/var/edge"
      "exporter" "127.0.0.1:5140" "port" "8080" "servers" (join "\n    " .servers) "nextUpstream" .nextUpstream
      "cache" .cache "limitZone" $zone "limit" $limit) }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels: {{ $labels }}
data:
  nginx.conf: |
    {{- $conf | nindent 4 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels: {{ $labels }}
spec:
  replicas: 1
  selector:
    matchLabels: {{ $labels }}
  template:
    metadata:
      labels: {{ $labels }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9100"
        checksum/config: {{ sha256sum $conf }}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532}
      containers:
      - name: exporter
        image: {{ .root.Values.image.repository }}:{{ .root.Values.image.tag }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        args: [edge-exporter, "--log-port=5140", "--admin-port=9100", "--upstreams={{ join "," .upstreams }}"]
        ports: [{name: admin, containerPort: 9100}]
        resources:
          requests: {cpu: 10m, memory: 16Mi}
          limits: {memory: 64Mi}
        securityContext: &confined
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
      - name: nginx
        image: {{ .values.image.repository }}:{{ .values.image.tag }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        command: [/usr/sbin/nginx, -e, stderr, -c, /etc/edge/nginx.conf]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe:
          httpGet: {path: /-/ready, port: http}
          periodSeconds: 1
        # Connections end only after everybody knows that no more should come.
        lifecycle: {preStop: {sleep: {seconds: 3}}}
        resources: {{- toYaml .values.resources | nindent 10 }}
        securityContext: *confined
        volumeMounts:
        - {name: config, mountPath: /etc/edge}
        - {name: memory, mountPath: /var/edge}
      volumes:
      - {name: config, configMap: {name: {{ .name }}}}
      - {name: memory, emptyDir: {medium: Memory, sizeLimit: 96Mi}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  labels: {{ $labels }}
spec:
  selector: {{ $labels }}
  ports: [{name: http, port: 80, targetPort: http}]
{{- end }}
