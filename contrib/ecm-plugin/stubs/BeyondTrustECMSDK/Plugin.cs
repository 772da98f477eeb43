// SPDX-License-Identifier: Apache-2.0
// The interface of an ECM plug-in, as far as it is publicly known. Our own declaration, never shipped.

using BeyondTrust.Integration.ECM.SDK.Model;

namespace BeyondTrust.Integration.ECM.SDK.Plugin;

public interface IECMPlugin
{
    string Name { get; }
    string Description { get; }
    string Version { get; }

    Task<ActionResult<PluginCapabilities>> GetPluginCapabilitiesAsync();

    Task<ActionResult<PluginHealthStatus>> PerformHealthCheckAsync();

    Task<ActionResult<IList<CredentialSummary>>> FindCredentialsForSessionAsync(SRASession session);

    Task<ActionResult<CredentialPackage>> GetCredentialForInjectionAsync(SRASession session, string credentialId);

    Task<ActionResult> ReleaseCredentialFromSessionAsync(
        SRASession session, string credentialId, long sessionEndedTimestamp);

    Task<ActionResult<IReadOnlyList<EndpointPackage>>> FindAvailableEndpointsAsync(
        SRASession session,
        IReadOnlyList<EndpointPackageType> endpointSearchTypes,
        string searchCriteria,
        int? mostRecentlyUsedCount);

    Task<ActionResult<StartSessionDetails>> StartSessionAsync(SRASession session, string credentialId);

    Task<ActionResult> SessionStartedAsync(
        SRASession session, string? historyUrl = null, int? historyUrlExpirySeconds = null);

    Task<ActionResult> SessionCompleteAsync(SRASession session);
}
