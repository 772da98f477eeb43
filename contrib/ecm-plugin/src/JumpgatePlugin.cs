// SPDX-License-Identifier: Apache-2.0
// The ECM plug-in: each of the nine operations is one request to the gateway, and its answer is passed on unchanged. No
// cache, no state but the HTTP client; any number of calls may run on one instance.
//
// A failure becomes a failed result with a text: code, detail, request id. It never becomes an empty list or a success,
// and no exception leaves an operation. A secret is kept in the answer and in the package made of it, and nowhere else.
//
// Not here: HTTP (GatewayClient.cs), the SDK's members (SdkAdapter.cs).

using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Reflection;
using System.Text.Json;
using BeyondTrust.Integration.ECM.SDK.Model;
using BeyondTrust.Integration.ECM.SDK.Plugin;

namespace Jumpgate.EcmPlugin;

/// <summary>The plug-in. Made once for a process; disposed at its end.</summary>
public sealed class JumpgatePlugin : IECMPlugin, IDisposable
{
    // A time this late is in milliseconds: as seconds it would be 3,000 years ahead.
    private const long LateSeconds = 100_000_000_000;
    private const int LargestRecent = 10_000;

    private readonly PluginConfiguration configuration;
    private readonly PluginLog log;
    private readonly GatewayClient gateway;
    private readonly SdkAdapter sdk;

    /// <summary>Makes the plug-in and logs which SDK members it found; nothing is sent yet.</summary>
    /// <param name="configuration">What <see cref="PluginConfiguration.Read"/> made.</param>
    /// <param name="sink">Takes the lines of the log.</param>
    /// <exception cref="PluginConfigurationException">A file of the credentials is no longer as it must be.</exception>
    public JumpgatePlugin(PluginConfiguration configuration, PluginLogSink sink)
        : this(configuration, sink, null)
    {
    }

    internal JumpgatePlugin(PluginConfiguration configuration, PluginLogSink sink, SdkAdapter? adapter)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(sink);
        this.configuration = configuration;
        log = new(configuration.LogLevel, sink);
        sdk = adapter ?? new(configuration.MemberMap);
        gateway = new(configuration, log);
        log.Info($"plug-in {Version} for {configuration.Url.GetLeftPart(UriPartial.Authority)}");
        sdk.LogMembers(log);
    }

    public string Name => "jumpgate";

    public string Description => "Forwards the requests of the ECM to a jumpgate gateway";

    public string Version { get; } =
        typeof(JumpgatePlugin).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public Task<ActionResult<PluginCapabilities>> GetPluginCapabilitiesAsync() =>
        RunAsync<PluginCapabilities>("capabilities", async run =>
        {
            var answer = await gateway.AskAsync(
                Read("/v1/capabilities"), GatewayJson.Default.CapabilitiesAnswer, run.RequestId).ConfigureAwait(false);
            return SdkAdapter.Capabilities(answer.Capabilities!);
        });

    public Task<ActionResult<PluginHealthStatus>> PerformHealthCheckAsync() =>
        RunAsync<PluginHealthStatus>("health", async run =>
        {
            if (sdk.Unfit() is { } unfit)
            {
                throw new SdkMemberException(unfit);
            }
            var answer = await gateway.AskAsync(
                Read("/v1/health") with { OtherStatus = HttpStatusCode.ServiceUnavailable },
                GatewayJson.Default.HealthAnswer,
                run.RequestId).ConfigureAwait(false);
            var reason = PluginLog.OneLine(answer.Reason(), 600);
            run.Note = answer.Healthy == true ? "healthy=yes" : $"healthy=no reason={PluginLog.Value(reason)}";
            return sdk.Health(answer.Healthy == true, reason)
                ?? throw new SdkMemberException($"the gateway is not healthy: {reason}");
        });

    public Task<ActionResult<IList<CredentialSummary>>> FindCredentialsForSessionAsync(SRASession session) =>
        RunAsync<IList<CredentialSummary>>("find_credentials", async run =>
        {
            var about = run.About(sdk.ReadSession(session, withId: false));
            var answer = await gateway.AskAsync(
                new("/v1/credentials/find", about.Body(), configuration.FindTimeoutMs, MayRepeat: true),
                GatewayJson.Default.CredentialsAnswer,
                run.RequestId).ConfigureAwait(false);
            run.Note = $"count={answer.Credentials!.Count}";
            return answer.Credentials.ConvertAll(one => SdkAdapter.Summary(one!));
        });

    public Task<ActionResult<CredentialPackage>> GetCredentialForInjectionAsync(SRASession session, string credentialId) =>
        RunAsync<CredentialPackage>("checkout", async run =>
        {
            var about = run.About(sdk.ReadSession(session, withId: true), credentialId);
            var secret = await gateway.AskAsync(
                new("/v1/credentials/checkout", about.Body(w => w.WriteString("credential_id", credentialId)),
                    configuration.CheckoutTimeoutMs, MayRepeat: false),
                GatewayJson.Default.SecretAnswer,
                run.RequestId).ConfigureAwait(false);
            try
            {
                return sdk.Package(secret);
            }
            catch (Exception e) when (e is SdkMemberException or TargetInvocationException or ArgumentException or InvalidOperationException)
            {
                await GiveBackAsync(about, credentialId).ConfigureAwait(false);
                // Only the adapter's own text is known to hold nothing of the secret.
                throw e as SdkMemberException ?? new SdkMemberException("the ECM SDK does not take the secret");
            }
        });

    public Task<ActionResult> ReleaseCredentialFromSessionAsync(SRASession session, string credentialId, long sessionEndedTimestamp) =>
        RunAsync("release", async run =>
        {
            var about = run.About(sdk.ReadSession(session, withId: true), credentialId);
            var answer = await ReleaseAsync(about, credentialId, sessionEndedTimestamp, run.RequestId).ConfigureAwait(false);
            run.Note = $"released={answer.Released}";
        });

    public Task<ActionResult<IReadOnlyList<EndpointPackage>>> FindAvailableEndpointsAsync(
        SRASession session,
        IReadOnlyList<EndpointPackageType> endpointSearchTypes,
        string searchCriteria,
        int? mostRecentlyUsedCount) =>
        RunAsync<IReadOnlyList<EndpointPackage>>("find_endpoints", async run =>
        {
            var about = run.About(sdk.ReadSession(session, withId: false));
            var types = (endpointSearchTypes ?? []).Select(type => sdk.EndpointType(type)).Distinct().ToArray();
            var body = about.Body(writer =>
            {
                writer.WriteStartArray("types");
                Array.ForEach(types, writer.WriteStringValue);
                writer.WriteEndArray();
                writer.WriteString("query", searchCriteria ?? "");
                if (mostRecentlyUsedCount is > 0)
                {
                    writer.WriteNumber("recent", Math.Min(mostRecentlyUsedCount.Value, LargestRecent));
                }
                else
                {
                    writer.WriteNull("recent");
                }
            });
            var answer = await gateway.AskAsync(
                new("/v1/endpoints/find", body, configuration.FindTimeoutMs, MayRepeat: true),
                GatewayJson.Default.EndpointsAnswer,
                run.RequestId).ConfigureAwait(false);
            run.Note = $"types={PluginLog.Value(string.Join(',', types))} count={answer.Endpoints!.Count}";
            return sdk.Endpoints(answer.Endpoints!);
        });

    public Task<ActionResult<StartSessionDetails>> StartSessionAsync(SRASession session, string credentialId) =>
        RunAsync<StartSessionDetails>("start_session", async run =>
        {
            var about = run.About(sdk.ReadSession(session, withId: false), credentialId);
            // The gateway answers 501: no status is a success.
            await gateway.TellAsync(
                new("/v1/sessions/start", about.Body(w => w.WriteString("credential_id", credentialId)),
                    configuration.OtherTimeoutMs, MayRepeat: false, Status: 0),
                run.RequestId).ConfigureAwait(false);
            throw new SdkMemberException("the gateway starts no sessions");
        });

    public Task<ActionResult> SessionStartedAsync(SRASession session, string? historyUrl = null, int? historyUrlExpirySeconds = null) =>
        RunAsync("session_started", run =>
        {
            var about = run.About(sdk.ReadSession(session, withId: true));
            var body = about.Body(writer =>
            {
                writer.WriteString("history_url", historyUrl);
                if (historyUrlExpirySeconds is { } seconds)
                {
                    writer.WriteNumber("history_url_expiry_seconds", seconds);
                }
                else
                {
                    writer.WriteNull("history_url_expiry_seconds");
                }
            });
            return gateway.TellAsync(
                new("/v1/sessions/started", body, configuration.OtherTimeoutMs, MayRepeat: false, HttpStatusCode.NoContent), run.RequestId);
        });

    public Task<ActionResult> SessionCompleteAsync(SRASession session) =>
        RunAsync("session_complete", async run =>
        {
            var about = run.About(sdk.ReadSession(session, withId: true));
            var answer = await gateway.AskAsync(
                new("/v1/sessions/complete", about.Body(), configuration.OtherTimeoutMs, MayRepeat: true),
                GatewayJson.Default.ReleasedAnswer,
                run.RequestId).ConfigureAwait(false);
            run.Note = $"released={answer.Released}";
        });

    public void Dispose() => gateway.Dispose();

    private GatewayCall Read(string path) => new(path, null, configuration.OtherTimeoutMs, MayRepeat: true);

    private Task<ReleasedAnswer> ReleaseAsync(GatewaySession about, string credentialId, long endedAt, string requestId)
    {
        var body = about.Body(writer =>
        {
            writer.WriteString("credential_id", credentialId);
            if (endedAt > 0)
            {
                writer.WriteNumber("session_ended_at", endedAt >= LateSeconds ? endedAt / 1000 : endedAt);
            }
            else
            {
                writer.WriteNull("session_ended_at");
            }
        });
        return gateway.AskAsync(
            new("/v1/credentials/release", body, configuration.OtherTimeoutMs, MayRepeat: true),
            GatewayJson.Default.ReleasedAnswer,
            requestId);
    }

    /// <summary>Releases a credential that was checked out and cannot be used. A failure of it is logged by its own line.</summary>
    private Task<ActionResult> GiveBackAsync(GatewaySession about, string credentialId) =>
        RunAsync("release", async run =>
        {
            run.About(about, credentialId);
            var answer = await ReleaseAsync(about, credentialId, 0, run.RequestId).ConfigureAwait(false);
            run.Note = $"released={answer.Released} cause=unusable_secret";
        });

    private async Task<ActionResult> RunAsync(string operation, Func<Run, Task> work)
    {
        var run = new Run(operation);
        var text = await GuardAsync(run, work).ConfigureAwait(false);
        return text is null ? SdkAdapter.Success() : sdk.Failed(text);
    }

    private async Task<ActionResult<T>> RunAsync<T>(string operation, Func<Run, Task<T>> work)
        where T : class
    {
        var run = new Run(operation);
        T? value = null;
        var text = await GuardAsync(run, async r => value = await work(r).ConfigureAwait(false)).ConfigureAwait(false);
        return text is null ? SdkAdapter.Success(value!) : sdk.Failed<T>(text);
    }

    /// <summary>Does the work and logs its one line; null, or the text of the failure.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "No exception leaves the plug-in: its caller is the vendor's service.")]
    private async Task<string?> GuardAsync(Run run, Func<Run, Task> work)
    {
        string text;
        string code;
        try
        {
            // The caller's thread goes on at once, whatever of the work is not asynchronous.
            await Task.Run(() => work(run)).ConfigureAwait(false);
            log.Info(run.Line("ok"));
            return null;
        }
        catch (GatewayFailure e)
        {
            (code, text) = (e.Code, e.Message);
        }
        catch (SdkMemberException e)
        {
            (code, text) = ("sdk", $"jumpgate: sdk: {e.Message} (request {run.RequestId})");
        }
        catch (Exception e)
        {
            // Its message is not known to be free of secrets; the type and the place tell what to look for.
            (code, text) = ("internal", $"jumpgate: internal: {e.GetType().Name} (request {run.RequestId})");
            log.Debug($"{run.RequestId} {e.GetType().Name} {e.StackTrace}");
        }
        log.Warn($"{run.Line(code)} error={PluginLog.Value(text, 1024)}");
        return text;
    }

    /// <summary>One operation in progress, and what its line of the log says.</summary>
    private sealed class Run(string operation)
    {
        private readonly long began = Stopwatch.GetTimestamp();
        private GatewaySession? session;
        private string? credential;

        internal string RequestId { get; } = GatewayClient.NewRequestId();

        internal string? Note { get; set; }

        internal GatewaySession About(GatewaySession about, string? credentialId = null)
        {
            (session, credential) = (about, credentialId);
            return about;
        }

        internal string Line(string outcome)
        {
            var line = $"operation={operation} outcome={outcome} request_id={RequestId} ms={(long)Stopwatch.GetElapsedTime(began).TotalMilliseconds}";
            if (session is not null)
            {
                line += $" user={PluginLog.Value(session.Person)} host={PluginLog.Value(session.Host)} session={PluginLog.Value(session.Id)}";
            }
            if (credential is not null)
            {
                line += $" credential={PluginLog.Value(credential)}";
            }
            return Note is null ? line : $"{line} {Note}";
        }
    }
}
