// SPDX-License-Identifier: Apache-2.0
// One line of the test host: which operation, with which arguments, on the plug-in as the vendor's service would call
// it, through the interface.

using System.Text.Json;
using BeyondTrust.Integration.ECM.SDK.Model;
using BeyondTrust.Integration.ECM.SDK.Plugin;

namespace Jumpgate.EcmPlugin.TestHost;

/// <summary>A line cannot be carried out; the text says why.</summary>
internal sealed class LineException(string message) : Exception(message);

internal sealed class Operations(IECMPlugin plugin, SdkAdapter sdk)
{
    /// <summary>Calls the operation; the SDK's result object.</summary>
    internal async Task<object> CallAsync(string operation, JsonElement arguments) => operation switch
    {
        "capabilities" or nameof(IECMPlugin.GetPluginCapabilitiesAsync) => await plugin.GetPluginCapabilitiesAsync(),
        "health" or nameof(IECMPlugin.PerformHealthCheckAsync) => await plugin.PerformHealthCheckAsync(),
        "find_credentials" or nameof(IECMPlugin.FindCredentialsForSessionAsync) =>
            await plugin.FindCredentialsForSessionAsync(Session(arguments)),
        "checkout" or nameof(IECMPlugin.GetCredentialForInjectionAsync) =>
            await plugin.GetCredentialForInjectionAsync(Session(arguments), Text(arguments, "credential_id") ?? ""),
        "release" or nameof(IECMPlugin.ReleaseCredentialFromSessionAsync) =>
            await plugin.ReleaseCredentialFromSessionAsync(
                Session(arguments), Text(arguments, "credential_id") ?? "", Number(arguments, "session_ended_at") ?? 0),
        "find_endpoints" or nameof(IECMPlugin.FindAvailableEndpointsAsync) =>
            await plugin.FindAvailableEndpointsAsync(
                Session(arguments), Types(arguments), Text(arguments, "query") ?? "", (int?)Number(arguments, "recent")),
        "start_session" or nameof(IECMPlugin.StartSessionAsync) =>
            await plugin.StartSessionAsync(Session(arguments), Text(arguments, "credential_id") ?? ""),
        "session_started" or nameof(IECMPlugin.SessionStartedAsync) =>
            await plugin.SessionStartedAsync(
                Session(arguments), Text(arguments, "history_url"), (int?)Number(arguments, "history_url_expiry_seconds")),
        "session_complete" or nameof(IECMPlugin.SessionCompleteAsync) => await plugin.SessionCompleteAsync(Session(arguments)),
        _ => throw new LineException(
            "no such operation; there are capabilities health find_credentials checkout release find_endpoints start_session session_started session_complete"),
    };

    private SRASession Session(JsonElement arguments)
    {
        if (arguments.ValueKind != JsonValueKind.Object || !arguments.TryGetProperty("session", out var given)
            || given.ValueKind != JsonValueKind.Object)
        {
            throw new LineException("arguments have no object \"session\"");
        }
        var session = sdk.NewSession();
        Fill(session, "session", given, "id", "lsid");
        if (given.TryGetProperty("user", out var user))
        {
            Fill(session, "user", user, "username", "domain");
        }
        if (given.TryGetProperty("jump_item", out var item))
        {
            Fill(session, "jump_item", item,
                "computer_name", "name", "hostname", "ip_address", "port", "method", "application", "network_id");
        }
        return session;
    }

    private void Fill(SRASession session, string part, JsonElement from, params string[] members)
    {
        foreach (var member in members)
        {
            if (!from.TryGetProperty(member, out var value) || value.ValueKind == JsonValueKind.Null)
            {
                continue;
            }
            object plain = value.ValueKind == JsonValueKind.Number ? value.GetInt32() : value.GetString() ?? "";
            if (!sdk.Write(session, $"{part}.{member}", plain))
            {
                throw new LineException($"the SDK has no member for {part}.{member}");
            }
        }
    }

    private static IReadOnlyList<EndpointPackageType> Types(JsonElement arguments) =>
        arguments.TryGetProperty("types", out var types)
            ? SdkAdapter.EndpointTypes(types.EnumerateArray().Select(type => type.ToString()))
            : [];

    private static string? Text(JsonElement arguments, string name) =>
        arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Number(JsonElement arguments, string name) =>
        arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt64() : null;
}
